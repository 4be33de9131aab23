"""The data of a study as one of its trainings sees them."""

from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.study.trial import Training


def data_of(training: Training, schedule: Schedule | None, data: StudyData) -> StudyData:
    """Return the data with the class weights of another recipe, and with an encoder of another width, if there are."""
    if schedule:
        data = data.weighing_classes(schedule.optimisation.class_weights)
    if training.pruning and training.pruning.width:
        data = data.resized(training.pruning.width)
    return data
