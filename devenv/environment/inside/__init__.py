"""Found out and put right inside a container: users, variables, folders, what is kept nowhere else."""
