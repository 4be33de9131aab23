"""Trained networks as they are deployed: what they say, and what they weigh."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field

from safetensors.numpy import load as load_tensors

from taskgraft.evaluators.assembly import assemble_model
from taskgraft.evaluators.compression.channels import without_zeros
from taskgraft.evaluators.compression.quantised import Quantised, evaluate_quantised, quantise
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.models.device_model import DeviceModel
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.sizes import Sizes
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.comparison.protocol import Part
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.own_data import template_for
from taskgraft.search.study.other_recipes import training_under
from taskgraft.search.study.preparation import PreparedStudy
from taskgraft.search.study.pruning import Pruned
from taskgraft.search.study.trial import Training
from taskgraft.space.cost import blocks_cost, tree_cost
from taskgraft.space.restriction import restricted
from taskgraft.space.tree import BranchTree


@dataclass(frozen=True, slots=True)
class NetworkSizes:
    """What a network weighs.

    ``nominal_parameters`` are those that pruning has left of its ``parameters``. ``stored_bytes`` is the size of its
    tensors, and ``packed_bytes`` that of values and bit masks (`taskgraft.evaluators.sizes`).
    """

    parameters: int
    nominal_parameters: int
    stored_bytes: int
    packed_bytes: int
    macs_per_second: int

    @classmethod
    def sum(cls, several: Iterable["NetworkSizes"]) -> "NetworkSizes":
        """Return what networks weigh together."""
        return cls(*map(sum, zip(*(astuple(one) for one in several), strict=True)))


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """Makes networks of the weights of trainings that have ended."""

    prepared: PreparedStudy
    data: StudyData
    checkpoints: Checkpoints
    _quantised: dict[Training, Quantised] = field(default_factory=dict)

    def model(self, training: Training) -> TreeModel:
        """Return the trained model, without the channels that were taken out of it.

        Raises:
            Unavailable: its weights are not there any more.
        """
        tasks = {task.name: task for task in self.prepared.tasks if task.name in training.tasks}
        parts = [(training.tree, self.checkpoints.load(training))]
        model = assemble_model(training.tree, self._data(training).template, tasks, parts)
        return without_zeros(model).eval() if _is_thinned(training) else model

    def assemble(self, tree: BranchTree, trainings: Sequence[Training]) -> TreeModel:
        """Return one model of trained parts of a tree, none of them of another recipe or width than the study's.

        Raises:
            Unavailable: weights are not there any more.
        """
        tasks = {task.name: task for task in self.prepared.tasks if task.name in tree.tasks}
        parts = [(training.tree, self.checkpoints.load(training)) for training in trainings]
        model = assemble_model(tree, self.data.template, tasks, parts)
        return without_zeros(model).eval() if any(map(_is_thinned, trainings)) else model

    def _data(self, training: Training) -> StudyData:
        algorithm = training_under(self.prepared.spec, training.recipe).algorithm if training.recipe else None
        return self.data.behind(template_for(training, algorithm, self.data.template))

    def say(self, part: Part, split: Split) -> Mapping[str, Outcomes]:
        """Return what a network says about the clips of a split, for every task that it was trained on.

        Raises:
            TrainingFailed: it can't be quantised.
            Unavailable: its weights are not there any more.
        """
        model, data = self.model(part.training), self._data(part.training)
        if part.is_quantised:
            return evaluate_quantised(self._in_eight_bits(part.training, model), data, split)
        return evaluate(model, data, split)

    def _in_eight_bits(self, training: Training, model: TreeModel) -> Quantised:
        """Return the model of a training in 8 bits; it is made once."""
        if training not in self._quantised:
            data = self._data(training)
            self._quantised[training] = quantise(DeviceModel(model, data), data)
        return self._quantised[training]

    def sizes(self, part: Part) -> NetworkSizes:
        """Return what a network weighs without the heads and blocks that answer nothing.

        Raises:
            TrainingFailed: it can't be quantised.
            Unavailable: its weights are not there any more.
        """
        training = part.training
        if _is_thinned(training) or part.is_quantised:
            return self._sizes_of_model(part)
        deployed, template = restricted(training.tree, part.answers), self._data(training).template
        cost = tree_cost(deployed, template, self.prepared.tasks)
        tensors = load_tensors(self.checkpoints.load(training))
        needed = {name: tensor for name, tensor in tensors.items() if _is_needed(name, part)}
        is_shared = training.pruning is not None and training.pruning.form is Pruned.SHARED
        sizes = Sizes.of_columns(needed) if is_shared else Sizes.of(needed, is_pruned=part.is_pruned)
        parameters = cost.parameters or 0
        return NetworkSizes(
            parameters, parameters - sizes.pruned, sizes.stored_bytes, sizes.packed_bytes, cost.macs_per_second or 0
        )

    def total(self, trainings: Sequence[Training]) -> NetworkSizes:
        """Return what trained parts weigh together, each of which answers all of its tasks.

        Raises:
            Unavailable: weights are not there any more.
        """
        return NetworkSizes.sum(self.sizes(Part(training, training.tasks)) for training in trainings)

    def _sizes_of_model(self, part: Part) -> NetworkSizes:
        """Return what a network weighs whose tensors are others than those that were trained."""
        model = self.model(part.training)
        cost = blocks_cost(model.blocks, model.tasks)
        if part.is_quantised:
            stored = self._in_eight_bits(part.training, model).weight_bytes
        else:
            stored = sum(tensor.nbytes for tensor in model.state_dict().values())
        parameters = cost.parameters or 0
        return NetworkSizes(parameters, parameters, stored, stored, cost.macs_per_second or 0)


def _is_thinned(training: Training) -> bool:
    return training.pruning is not None and training.pruning.form is Pruned.CHANNELS


def _is_needed(tensor: str, part: Part) -> bool:
    """Return whether a tensor lies on the way to an answer; names are those of `TreeModel`."""
    kind, place, _ = tensor.split(".", 2)
    tree = part.training.tree
    if kind == "heads":
        return tree.tasks[int(place)] in part.answers
    return not set(list(tree.nodes())[int(place)].tasks).isdisjoint(part.answers)
