"""Conversion of Keras models to TFLite files, quantized or trained further."""
