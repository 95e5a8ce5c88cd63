cat >r.yaml <<'END'
model: mlp.onnx
data: glyphs
steps:
  - prune: {method: magnitude, sparsty: 0.9}
END
compress apply r.yaml
