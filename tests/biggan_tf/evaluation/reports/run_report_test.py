"""The history of a run: which of its logged numbers a plot shows."""

from biggan_tf.evaluation.reports import run_report
from biggan_tf.evaluation.reports.html_report import HtmlReport


class Report(HtmlReport):
    """Keeps the figures by their titles."""

    def __init__(self):
        super().__init__("x")
        self.figures = {}

    def figure(self, figure, caption):
        self.figures[caption] = figure


def test_the_scale_of_a_loss_is_no_loss():
    lines = [{"step": step, "d_loss": 1.0, "g_loss": 2.0, "g_loss_scale": 2.0**step} for step in range(3)]
    report = Report()
    run_report.add_history(report, lines)
    drawn = {title: {line.get_label() for line in figure.axes[0].lines} for title, figure in report.figures.items()}
    assert drawn == {"Losses": {"d_loss", "g_loss"}, "Loss scale and gradient underflow": {"g_loss_scale"}}
