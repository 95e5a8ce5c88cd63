# Networks from nothing, one epoch each; a student is thinned from its teacher and imitates its tensors, and the teacher is asked once.
data=glyphs,train=40,test=20
for name in resnet-20 transformer:16-2-1; do
    compress train $name --data $data --epochs 1 --batch 20 --threads 1 -q -o "$name.onnx"
done
for run in 1 2; do
    compress distill --teacher "$FIXTURES/mlp.onnx" --student thinned --width 0.5 --hints relu1 --relation relu1 --data $data \
        --epochs 1 --teacher-cache scores --threads 1 -q -o student$run.onnx
done
cmp student1.onnx student2.onnx && echo same bytes
ls -A
