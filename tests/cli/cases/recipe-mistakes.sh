# One line for each mistake, with line and column; nothing is done.
model=$FIXTURES/mlp.onnx
try() { printf "$1" "$model" >r.yaml; compress apply r.yaml 2>errors || echo "$? $(head -n 1 errors)"; }
try 'model: %s\nsteps:\n  - prune: {sparsity: high}\n'
try 'model: %s\nsteps:\n  - prune: {sparsity: 1.5}\n'
try 'model: %s\nsteps:\n  - prune: {sparsity: [0.5]}\n'
try 'model: %s\nsteps:\n  - prun: {sparsity: 0.5}\n'
try 'model: %s\nsteps:\n  - prune: {sparsity: 0.5, pattern: 4:2}\n'
try 'model: %s\nsteps:\n  - prune: {sparsity: 0.5}\n    train: {}\n'
try 'model: %s\nsteps: {prune: {sparsity: 0.5}}\n'
try 'model: %s\nmodel: two\n'
try 'model: %s\nsteps:\n  - train: {epochs: 1}\n'
try 'model: %s\ngates: {min_accuracy: 0.5}\n'
try 'model: %s\ngates: {min_acuracy: 0.5}\n'
try 'model: %s\noutput: {report: [json, pdf]}\n'
try 'model: %s\nsteps:\n  - train: {rate: {exponential: 0.1}}\n'
try 'model: %s\nsteps:\n  - train: {stop: {patence: 3}}\n'
try 'data: glyphs\n#%s\n'
try 'model: absent.onnx\n#%s\n'
try 'model: %s\ndata: gylphs\n'
try 'model: [%s\n'
try 'model: &a %s\n'
try '#%s\n'
ls -A
