"""The encoder, the decoder and the whole scorer as ONNX files, to be used where this project is not installed."""
