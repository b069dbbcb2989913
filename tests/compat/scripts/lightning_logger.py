"""Lightning's MLFlowLogger, with the model of the best checkpoint."""

import os

import lightning
import mlflow
import torch
from lightning.pytorch.loggers import MLFlowLogger

torch.manual_seed(0)


class Line(lightning.LightningModule):
    """One linear layer."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch):
        rows, label = batch
        loss = torch.nn.functional.mse_loss(self.layer(rows), label)
        self.log("loss", loss, on_step=True, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate)


rows = torch.rand(64, 2, generator=torch.Generator().manual_seed(0))
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(rows, rows.sum(1, keepdim=True)), batch_size=16)
logger = MLFlowLogger("compat", run_name="lightning", tracking_uri=os.environ["MLFLOW_TRACKING_URI"], log_model=True)
trainer = lightning.Trainer(
    max_epochs=2, logger=logger, accelerator="cpu", log_every_n_steps=1, enable_progress_bar=False
)
trainer.fit(Line(rate=0.1), data)
assert mlflow.MlflowClient().get_run(logger.run_id).info.status == "FINISHED"
