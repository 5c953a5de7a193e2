"""What a pass will do: order and stages, whose objects, what is deleted and what never."""

import itertools
import random
from typing import Any

import pytest

from reconciler.inventory import Entry, Inventory, Origin
from reconciler.objects import Identity, KubernetesObject, identity_of, object_of
from reconciler.ownership import Owner
from reconciler.plan import (
    ApplyPlan,
    Intent,
    StageName,
    Step,
    applied_entry,
    apply_order,
    by_identity,
    plan_apply,
    plan_prune,
    stage_of,
)

OWNER = Owner(name="shop", namespace="flux")
Raw = dict[str, Any]


def raw(name: str = "a", kind: str = "ConfigMap", group: str = "", **metadata: Any) -> Raw:
    version = f"{group}/v1" if group else "v1"
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop", **metadata},
    }


def live(name: str = "a", *, ours: bool = True, made: bool = True, **metadata: Any) -> Raw:
    """Return an object as the cluster has it: with our labels, and made by us."""
    who = "pilotfish" if made else "kubectl-create"
    entry = {"manager": who, "operation": "Apply", "time": "2026-01-01T00:00:00Z"}
    held = {
        "uid": f"uid-{name}",
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [entry],
        "labels": {**(OWNER.labels if ours else {}), **metadata.pop("labels", {})},
    }
    return raw(name, **{**held, **metadata})


def desired(*objects: Raw) -> list[KubernetesObject]:
    return [object_of(one, source="f.yaml:1") for one in objects]


def entry(name: str = "a", **parts: Any) -> Entry:
    known = {"uid": f"uid-{name}", "origin": Origin.CREATED, "version": "v1", **parts}
    return Entry(identity=identity_of(raw(name)), **known)


def planned(wanted: Raw, found: Raw | None, *known: Entry, force: bool = False) -> ApplyPlan:
    there = by_identity([found]) if found is not None else {}
    return plan_apply(desired(wanted), there, Inventory(known), OWNER, force=force)


def only_step(plan: ApplyPlan) -> Step:
    (step,) = plan.steps
    return step


KINDS = [
    ("apiextensions.k8s.io", "CustomResourceDefinition", "", StageName.DEFINITIONS),
    ("", "Namespace", "", StageName.DEFINITIONS),
    ("rbac.authorization.k8s.io", "ClusterRole", "", StageName.CLUSTER),
    ("storage.k8s.io", "StorageClass", "", StageName.CLUSTER),
    ("gateway.example.io", "GatewayClass", "", StageName.CLUSTER),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", "", StageName.CLUSTER),
    ("", "PersistentVolume", "", StageName.CLUSTER),
    ("", "ServiceAccount", "shop", StageName.REST),
    ("", "ConfigMap", "shop", StageName.REST),
    ("apps", "Deployment", "shop", StageName.REST),
    ("apiregistration.k8s.io", "APIService", "", StageName.REST),
    ("cert.example.io", "ClusterIssuer", "", StageName.REST),
    ("zone.example.io", "Certificate", "shop", StageName.REST),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", "", StageName.REST),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "", StageName.REST),
]


def test_stages_and_the_order_in_them_do_not_depend_on_the_order_given() -> None:
    objects = [raw("a", kind, group, namespace=space) for group, kind, space, _ in KINDS]
    random.Random(7).shuffle(objects)

    plan = plan_apply(desired(*objects), {}, Inventory(), OWNER)

    assert [stage.name for stage in plan.stages] == list(StageName)
    assert [
        (step.identity.group, step.identity.kind, step.identity.namespace, stage.name)
        for stage in plan.stages
        for step in stage.steps
    ] == KINDS


def test_ties_are_broken_by_namespace_and_name() -> None:
    objects = [raw(name, namespace=space) for space, name in itertools.product("ba", "dc")]

    ordered = sorted((identity_of(one) for one in objects), key=apply_order)

    assert [(one.namespace, one.name) for one in ordered] == [
        ("a", "c"),
        ("a", "d"),
        ("b", "c"),
        ("b", "d"),
    ]


def test_an_empty_stage_is_left_out() -> None:
    assert [one.name for one in planned(raw(), None).stages] == [StageName.REST]
    assert stage_of(identity_of(raw())) is StageName.REST


def test_a_new_object_carries_our_labels_and_is_in_the_inventory_first() -> None:
    plan = planned(raw(labels={"app": "web"}), None)

    step = only_step(plan)
    assert step.is_new
    assert step.desired.labels == {"app": "web", **OWNER.labels}
    assert plan.intended.get(step.identity) == entry(uid="", origin=Origin.INTENDED)


def test_what_is_written_first_is_the_union() -> None:
    plan = planned(raw("new"), None, entry("old"), entry("gone"))

    assert {one.identity.name for one in plan.intended} == {"new", "old", "gone"}


@pytest.mark.parametrize(
    ("found", "known", "origin"),
    [
        pytest.param(live(), [entry()], Origin.CREATED, id="ours"),
        pytest.param(live(ours=False), [], Origin.ADOPTED, id="nobodys"),
        pytest.param(live(ours=False), [entry()], Origin.ADOPTED, id="made-anew-by-a-person"),
        pytest.param(live(), [], Origin.ADOPTED, id="our-labels-but-no-entry"),
        pytest.param(live(), [entry(origin=Origin.ADOPTED)], Origin.ADOPTED, id="adopted-before"),
        pytest.param(
            live(), [entry(uid="", origin=Origin.INTENDED)], Origin.CREATED, id="stopped-after"
        ),
        pytest.param(
            live(made=False),
            [entry(uid="", origin=Origin.INTENDED)],
            Origin.ADOPTED,
            id="someone-was-faster",
        ),
        pytest.param(live(uid="other"), [entry()], Origin.CREATED, id="made-anew-by-us"),
        pytest.param(
            live(uid="other", made=False), [entry()], Origin.ADOPTED, id="made-anew-by-others"
        ),
    ],
)
def test_how_an_object_came_to_us_is_told_by_labels_entry_and_fields(
    found: Raw, known: list[Entry], origin: Origin
) -> None:
    plan = planned(raw(), found, *known)

    step = only_step(plan)
    assert step.origin is origin
    held = plan.intended.get(step.identity)
    assert held is not None
    assert (held.origin, held.uid) == (origin, found["metadata"]["uid"])


def test_another_owners_object_is_refused_and_not_in_the_inventory() -> None:
    plan = planned(raw(), live(labels={"argocd.argoproj.io/instance": "web"}))

    (refusal,) = plan.refusals
    assert str(refusal) == "ConfigMap/shop/a belongs to Argo CD application web"
    assert refusal.source == "f.yaml:1"
    assert not list(plan.steps)
    assert len(plan.intended) == 0


@pytest.mark.parametrize("prefix", ["reconcile.pilotfish.io/", "kustomize.toolkit.fluxcd.io/"])
@pytest.mark.parametrize("side", ["desired", "live"])
@pytest.mark.parametrize(
    ("word", "value", "intent"),
    [
        ("reconcile", "Disabled", Intent.SKIP),
        ("ssa", "Ignore", Intent.SKIP),
        ("ssa", "Override", Intent.APPLY),
        ("ssa", "Merge", Intent.APPLY),
    ],
)
def test_a_label_or_annotation_of_either_side_says_what_to_leave_alone(
    prefix: str, side: str, word: str, value: str, intent: Intent
) -> None:
    mark: Raw = {"annotations": {prefix + word: value}}
    found = live(**mark) if side == "live" else live()

    step = only_step(planned(raw(**mark) if side == "desired" else raw(), found, entry()))

    assert step.intent is intent
    assert bool(step.reason) is (intent is Intent.SKIP)
    assert step.takes_over is (value != "Merge")


def test_once_means_until_it_is_there_and_counts_on_the_desired_side_alone() -> None:
    mark: Raw = {"labels": {"reconcile.pilotfish.io/ssa": "IfNotPresent"}}

    assert only_step(planned(raw(**mark), None)).intent is Intent.APPLY
    assert only_step(planned(raw(**mark), live())).intent is Intent.SKIP
    assert only_step(planned(raw(), live(**mark))).intent is Intent.APPLY


def test_a_skipped_object_stays_in_the_inventory_and_a_foreign_one_does_not_enter() -> None:
    mark: Raw = {"annotations": {"reconcile.pilotfish.io/reconcile": "disabled"}}

    assert len(planned(raw(**mark), live(), entry()).intended) == 1
    assert len(planned(raw(**mark), live(ours=False)).intended) == 0


@pytest.mark.parametrize(
    ("wanted", "found", "force", "replaced"),
    [
        (raw(), live(), False, False),
        (raw(), live(), True, True),
        (raw(), None, True, False),
        (raw(annotations={"kustomize.toolkit.fluxcd.io/force": "enabled"}), live(), False, True),
        (
            raw(kind="PersistentVolumeClaim"),
            {**live(), "kind": "PersistentVolumeClaim"},
            True,
            False,
        ),
        (
            raw(kind="Namespace", namespace=""),
            {**live(namespace=""), "kind": "Namespace"},
            True,
            False,
        ),
    ],
)
def test_only_what_may_be_made_anew_is_replaced(
    wanted: Raw, found: Raw | None, *, force: bool, replaced: bool
) -> None:
    assert only_step(planned(wanted, found, force=force)).may_replace is replaced


@pytest.mark.parametrize(
    ("found", "created", "origin"),
    [
        (None, True, Origin.CREATED),
        (None, False, Origin.ADOPTED),
        (live(ours=False), False, Origin.ADOPTED),
        (live(), False, Origin.CREATED),
    ],
)
def test_after_its_apply_an_entry_knows_its_uid_and_who_made_it(
    found: Raw | None, *, created: bool, origin: Origin
) -> None:
    step = only_step(planned(raw(), found, entry()))

    assert applied_entry(step, live(uid="new"), created=created) == entry(uid="new", origin=origin)


def pruned(known: Entry, found: Raw | None, *, complete: bool = True) -> Any:
    wanted = [identity_of(raw("wanted"))]
    there = by_identity([found]) if found is not None else {}
    return plan_prune(Inventory([known]), wanted, there, OWNER, complete=complete)


def test_what_we_made_and_is_desired_no_longer_is_deleted_in_exactly_this_state() -> None:
    plan = pruned(entry(version="v1beta1"), live())

    (prune,) = plan.prunes
    assert (prune.uid, prune.resource_version, prune.version) == ("uid-a", "7", "v1")
    assert (plan.kept, plan.forgotten) == ((), ())


@pytest.mark.parametrize(
    ("known", "found", "reason"),
    [
        pytest.param(entry(origin=Origin.ADOPTED), live(), "before us", id="adopted"),
        pytest.param(entry(uid="old"), live(made=False), "nothing shows", id="another-uid"),
        pytest.param(
            entry(),
            live(annotations={"kustomize.toolkit.fluxcd.io/prune": "disabled"}),
            "says to keep it",
            id="annotated",
        ),
        pytest.param(
            entry(),
            live(labels={"reconcile.pilotfish.io/ssa": "ignore"}),
            "says to keep it",
            id="ignored",
        ),
        pytest.param(
            entry(), live(deletionTimestamp="2026-01-01T00:00:00Z"), "being deleted", id="going"
        ),
    ],
)
def test_what_must_not_be_deleted_is_kept_with_the_reason(
    known: Entry, found: Raw, reason: str
) -> None:
    plan = pruned(known, found)

    assert (plan.prunes, plan.forgotten) == ((), ())
    assert reason in plan.kept[0].reason


@pytest.mark.parametrize(
    "found",
    [
        None,
        live(ours=False),
        live(labels={"reconcile.pilotfish.io/name": "other"}),
        live(labels={"argocd.argoproj.io/instance": "x"}),
    ],
    ids=["gone", "no-labels", "another-set", "another-tool"],
)
def test_what_is_gone_or_not_ours_is_forgotten_and_never_deleted(found: Raw | None) -> None:
    plan = pruned(entry(), found)

    assert (plan.prunes, plan.kept) == ((), ())
    assert plan.forgotten == (entry().identity,)


def test_one_that_we_were_about_to_make_and_made_is_deleted() -> None:
    assert len(pruned(entry(uid="", origin=Origin.INTENDED), live()).prunes) == 1


def test_nothing_is_deleted_or_forgotten_after_a_pass_that_was_not_complete() -> None:
    for found in (live(), None):
        plan = pruned(entry(), found, complete=False)

        assert (plan.prunes, plan.forgotten) == ((), ())
        assert plan.kept[0].reason == "the pass was not complete"


def test_nothing_is_deleted_when_nothing_is_desired() -> None:
    plan = plan_prune(Inventory([entry()]), [], by_identity([live()]), OWNER, complete=True)

    assert (plan.prunes, plan.forgotten) == ((), ())
    assert plan.kept[0].reason == "nothing is desired"


def test_deletes_go_in_the_reverse_order_of_an_apply() -> None:
    kinds = [("ConfigMap", ""), ("Namespace", ""), ("Deployment", "apps"), ("Service", "")]
    objects = [
        {**live(), "kind": kind, "apiVersion": f"{group}/v1" if group else "v1"}
        for kind, group in kinds
    ]
    known = [
        Entry(identity=identity_of(one), version="v1", uid="uid-a", origin=Origin.CREATED)
        for one in objects
    ]
    other = Identity(namespace="", name="x", group="", kind="X")

    plan = plan_prune(Inventory(known), [other], by_identity(objects), OWNER, complete=True)

    assert [one.identity.kind for one in plan.prunes] == [
        "Deployment",
        "Service",
        "ConfigMap",
        "Namespace",
    ]
