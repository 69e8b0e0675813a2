"""Files that list or contain the images of a data set of your own."""
