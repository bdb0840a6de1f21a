"""What a Runner shows; tests/test_tools/test_train_and_test.py has a whole training."""

from mmengine.logging import MMLogger, print_log

from vpd_mm.engine.training_console import quiet_console


def test_the_console_has_warnings_and_own_lines_and_the_file_all(capsys, tmp_path):
    path = tmp_path / 'x.log'
    logger = quiet_console(MMLogger('quiet', log_file=str(path)))
    upstream = {'__name__': 'mmengine.runner.runner', 'logger': logger}
    exec('logger.info("Config: a dump"); logger.warning("loss is nan")', upstream)
    exec('print_log("of this project", logger)', {'__name__': 'vpd_mm.x', 'print_log': print_log, 'logger': logger})
    noise = {'__name__': 'mmengine.fileio.file_client', 'logger': logger}
    exec("""logger.warning('"FileClient" will be deprecated in future.')""", noise)
    assert capsys.readouterr().out == 'warning: loss is nan\nof this project\n'
    text = path.read_text()
    for line in ('Config: a dump', 'loss is nan', 'of this project', '"FileClient" will'):
        assert line in text
