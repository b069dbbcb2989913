"""transformers' own MLflow callback, on a tiny model made here."""

import os

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed

os.environ["MLFLOW_EXPERIMENT_NAME"] = "compat"
set_seed(0)


class Rows(torch.utils.data.Dataset):
    """Sixteen rows of random tokens."""

    def __init__(self) -> None:
        self.tokens = torch.randint(0, 50, (16, 8), generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return 16

    def __getitem__(self, at: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.tokens[at], "labels": torch.tensor(at % 2)}


config = BertConfig(vocab_size=50, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
told = TrainingArguments(
    "out",
    num_train_epochs=2,
    per_device_train_batch_size=4,
    logging_steps=2,
    save_strategy="no",
    report_to=["mlflow"],
    run_name="transformers",
    use_cpu=True,
    seed=0,
)
Trainer(BertForSequenceClassification(config), told, train_dataset=Rows()).train()
