"""Versions of prompts, which MLflow keeps in the registry: their content is text in a tag, not files."""

from typing import Any

from modelkeel.core.access import Principal
from modelkeel.core.errors import Conflict, InvalidInput
from modelkeel.core.hashing import sha256
from modelkeel.registry import store
from modelkeel.registry.models import ModelVersion, RegisteredModel, told
from modelkeel.registry.stages import Stages
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.models import OwnerKind

IS_PROMPT = "mlflow.prompt.is_prompt"
TEXT = "mlflow.prompt.text"
_CONTENT = frozenset({IS_PROMPT, TEXT, "_mlflow_prompt_type", "mlflow.prompt.type"})


def is_prompt(tags: dict[str, str]) -> bool:
    """Whether a model or version with such tags is a prompt."""
    return tags.get(IS_PROMPT, "").lower() == "true"


class Prompts(Stages):
    """The versions of prompts. A name has versions of one kind only, so no model comes without files."""

    async def _create_prompt(
        self, principal: Principal, name: str, source: str, tags: dict[str, str], description: str
    ) -> ModelVersion:
        """Registers the next version of a prompt; its text can't change from then on.

        Args:
            principal: who asks.
            name: of the prompt.
            source: what the client put in place of a model's files.
            tags: the text under `mlflow.prompt.text`, and further ones.
            description: free text.

        Raises:
            InvalidInput: the name is a model's, or there is no text.
        """
        text = tags.get(TEXT)
        if text is None:
            raise InvalidInput(f"A version of a prompt has its text in the tag '{TEXT}'.")

        def work(tx: Tx) -> ModelVersion:
            model = self._own(tx, principal, name)
            if not is_prompt(model.tags):
                raise InvalidInput(f"'{name}' is a model, no prompt.", hint="Register the prompt under another name.")
            number = store.next_version(tx, model.id)
            digest, size = sha256(text.encode()), len(text.encode())
            row: dict[str, Any] = {
                "model": model.id,
                "version": number,
                "workspace": principal.workspace,
                "run": "",
                "logged_model": "",
                "source": source,
                "owner_kind": OwnerKind.MODEL,
                "owner": "",
                "prefix": "",
                "experiment": "",
                "digest": digest,
                "size": size,
                "description": description,
                "run_link": "",
                "user": principal.name,
                "actor": principal.id,
            }
            store.add_version(tx, row)
            for key, value in tags.items():
                store.set_version_tag(tx, model.id, number, key, value)
            subject = {"model": model.id, "version": f"{model.id}/{number}"}
            data = {"version": number, "digest": digest, "files": 0, "size": size}
            texts = told(name, tags, description, source=source)
            self._ledger.record(tx, principal, "version.created", subject, data, texts)
            return self._version(tx, principal, name, number)

        return await self._db.write(work)


def require_model(model: RegisteredModel) -> None:
    """Refuses files under a prompt's name."""
    if is_prompt(model.tags):
        raise InvalidInput(f"'{model.name}' is a prompt.", hint="Register the model under another name.")


def require_free(version: ModelVersion, key: str) -> None:
    """Refuses to change what a version of a prompt is."""
    if key in _CONTENT and not version.owner.id:
        raise Conflict(
            f"The tag '{key}' of a version of a prompt can't change.", hint="Register the text as a new version."
        )
