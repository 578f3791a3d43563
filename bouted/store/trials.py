"""How far each kind of replica was proved, kept as documents: a fact each, so none is ever changed."""

from datetime import datetime

from sqlalchemy import delete

from bouted.codec import content_hash, dump, parse
from bouted.reconcile.rollout import Trial
from bouted.store.documents import list_documents, put_document
from bouted.store.session import Store
from bouted.store.tables import Documents

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


def mend_trials(store: Store, now: datetime, ahead: datetime) -> int:
    """After the clock was set back: a step that claims to be reached later than `ahead` was reached now.
    Returns how many kinds were on one."""
    known = {body: parse(Trial, body) for body in list_documents(store, TRIAL)}
    future = {content_hash(body): trial.kind for body, trial in known.items() if trial.since > ahead}
    if not future:
        return 0
    latest, kinds = load_trials(store), sorted(set(future.values()))
    for kind in kinds:
        save_trial(store, Trial(kind=kind, step=latest[kind].step, since=now))
    with store.writing() as session:
        session.execute(delete(Documents).where(Documents.hash.in_(list(future))))
    return len(kinds)
