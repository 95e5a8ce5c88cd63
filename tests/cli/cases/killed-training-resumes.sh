# SIGKILL at any moment: what goes on from the checkpoint ends with the bytes of a run that nobody disturbed.
train() {
    "$COMPRESS" train mlp:784-16-10 --data glyphs,train=200,test=60 --epochs 30 --ema 0.9 --threads 1 --seed 3 -q "$@"
}
train -o whole.onnx
(for attempt in 1 2 3 4 5 6 7 8 9; do
    train --checkpoint run.ckpt --checkpoint-seconds 0 --resume -o out.onnx && break
done) 2>/dev/null &
pid=$!
for pause in 0.2 0.15 0.3 0.1 0.25; do
    sleep $pause
    child=$(ps -o pid= --ppid $pid | tr -d ' ' | head -1)
    [ -z "$child" ] || kill -KILL "$child" 2>/dev/null || true
done
wait $pid || true
cmp whole.onnx out.onnx && echo same bytes
# A checkpoint is not begun anew by accident, and not by another run.
train --checkpoint run.ckpt -o other.onnx || echo "status $?"
train --checkpoint run.ckpt --resume --l2 0.5 -o other.onnx || echo "status $?"
printf x | dd of=run.ckpt bs=1 seek=100 conv=notrunc 2>/dev/null
train --checkpoint run.ckpt --resume -o other.onnx || echo "status $?"
ls -A | grep -v '[.]tmp$'
