"""`mlflow.pytorch.autolog` of a Lightning training."""

import lightning
import mlflow
import torch

torch.manual_seed(0)
mlflow.set_experiment("compat")
mlflow.pytorch.autolog(log_models=False, checkpoint=False)


class Line(lightning.LightningModule):
    """One linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch):
        rows, label = batch
        loss = torch.nn.functional.mse_loss(self.layer(rows), label)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


rows = torch.rand(64, 2, generator=torch.Generator().manual_seed(0))
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(rows, rows.sum(1, keepdim=True)), batch_size=16)
with mlflow.start_run(run_name="autolog"):
    lightning.Trainer(max_epochs=2, accelerator="cpu", enable_progress_bar=False, logger=False).fit(Line(), data)
