"""Whole data sets of image files as users have them, made from photographs, and checks on them."""
