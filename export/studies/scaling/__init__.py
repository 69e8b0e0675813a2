"""How far the training of ImageNet networks scales over accelerators, by simulation."""
