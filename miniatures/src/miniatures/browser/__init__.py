"""The captioner and the chat model for web pages: quantized ONNX in the folders that Transformers.js reads.

Owns the graphs and their names. Knows nothing about training: it takes the models that are committed.
"""
