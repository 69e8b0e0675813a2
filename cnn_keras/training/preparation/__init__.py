"""What a training needs before its first step: data, preprocessing, shapes."""
