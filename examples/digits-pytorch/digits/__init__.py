"""A small convolutional network for the 8x8 handwritten digits that scikit-learn ships."""
