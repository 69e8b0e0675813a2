"""What is wrong with the images of a data set: broken files, duplicates, inverted images."""
