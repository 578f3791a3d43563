"""How far each kind of replica was proved, kept as documents: a fact each, so none is ever changed."""

from bouted.codec import dump, parse
from bouted.reconcile.rollout import Trial
from bouted.store.documents import list_documents, put_document
from bouted.store.session import Store

TRIAL = "trial"


def load_trials(store: Store) -> dict[str, Trial]:
    """The latest of each kind, by kind."""
    found: dict[str, Trial] = {}
    for body in list_documents(store, TRIAL):
        trial = parse(Trial, body)
        known = found.get(trial.kind)
        if known is None or (trial.since, trial.step) > (known.since, known.step):
            found[trial.kind] = trial
    return found


def save_trial(store: Store, trial: Trial) -> None:
    """Keeps that a kind reached a step; it stands until a later one."""
    put_document(store, TRIAL, dump(Trial, trial))
