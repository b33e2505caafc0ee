"""Trained models as files for other runtimes: LiteRT (TFLite) and ONNX."""
