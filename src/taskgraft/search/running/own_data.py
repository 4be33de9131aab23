"""The data of a study as one of its trainings sees them."""

from dataclasses import replace

from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.study.trial import Training
from taskgraft.space.gates import NO_GATE
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import resized


def data_of(training: Training, own: Schedule, other: Schedule | None, data: StudyData) -> StudyData:
    """Return the data for a training of a study whose ``own`` recipe has that schedule.

    Of another recipe (``other``), they have its class weights and gates, and of another width its template. They have
    the nuisance only if the algorithm trains against it: nothing else may hang on whether the study has read one.
    """
    if (other or own).algorithm.nuisance_label is None:
        data = replace(data, nuisance=None)
    if other:
        data = data.weighing_classes(other.optimisation.class_weights)
    return data.behind(template_for(training, other.algorithm if other else None, data.template))


def template_for(training: Training, algorithm: Algorithm | None, template: Template) -> Template:
    """Return the template of a training, by another ``algorithm`` than the study's own if it is one.

    Raises:
        InvalidInput: another width of an encoder of the user's own.
    """
    if algorithm:
        template = algorithm.template(replace(template, gate=NO_GATE))
    pruning = training.pruning
    return resized(template, pruning.width) if pruning and pruning.width else template
