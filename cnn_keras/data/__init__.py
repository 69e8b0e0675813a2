"""Data sets and folders of images, and the preprocessing from pixels to tensors."""
