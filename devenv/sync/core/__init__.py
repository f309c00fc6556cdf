"""What is to be done, decided from three trees: pure, without clock, disk or network."""
