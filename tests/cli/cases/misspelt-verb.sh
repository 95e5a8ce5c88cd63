compress prnue model.onnx
