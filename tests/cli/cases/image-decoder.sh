# A picture in a tensor is decoded; what is none is said with the node, as what ends early is.
model=$SOURCE/tests/op/vectors/image_decoder_rgb.onnx
tensor() { # tensor FILE: 29 bytes as uint8[29]
    printf '\223NUMPY\1\0v\0%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': (29,), }"
    cat "$1"
}
printf 'P6\n3 2\n255\nabcdefghijklmnopqr' >picture
printf 'GIF89a, which nobody reads...' >other
printf 'P6\n3 3\n255\nabcdefghijklmnopqr' >cut
for file in picture other cut; do
    tensor $file >$file.npy
    compress run "$model" --input $file.npy --output-dir out --format npy -f || echo "status $?"
done
tail -c 18 out/output_0.npy
echo
