"""Plain `mlflow` scripts beside which Modelkeel is installed: their code is kept without a word of it in them."""
