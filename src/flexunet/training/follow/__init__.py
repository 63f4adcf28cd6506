"""How a run is followed: curves, pictures, TensorBoard, MLflow."""
