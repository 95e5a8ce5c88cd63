# SIGINT leaves the state of the last step in the checkpoint: 130, and how to go on is said.
"$COMPRESS" train mlp:784-16-10 --data glyphs,train=200,test=60 --epochs 100000000 --checkpoint run.ckpt -q -o out.onnx &
pid=$!
# until it is no longer the shell that was forked, and the handler is there (bit 1 of the caught signals is SIGINT)
until grep -q '^Name:.*compress' /proc/$pid/status && grep -q '^SigCgt:.*[2367abef]$' /proc/$pid/status; do
    sleep 0.05
done
kill -INT $pid
status=0
wait $pid || status=$?
ls -A
exit $status
