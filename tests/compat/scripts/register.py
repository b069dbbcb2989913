import mlflow
import pandas as pd
from sklearn.linear_model import LinearRegression

data = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
model = LinearRegression().fit(data, [2.0, 4.0, 6.0])
with mlflow.start_run(run_name="register"):
    mlflow.sklearn.log_model(model, name="model", input_example=data, registered_model_name="served")
mlflow.MlflowClient().set_registered_model_alias("served", "champion", 1)
assert abs(mlflow.pyfunc.load_model("models:/served@champion").predict(data)[0] - 2) < 1e-9
