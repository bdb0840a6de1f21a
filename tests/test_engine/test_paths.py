from vpd_mm.engine.paths import find_weights
from vpd_mm.synthetic.checkpoints import packed_model


def test_packed_weights_are_found_from_any_folder_and_a_file_of_the_user_goes_first(tmp_path, monkeypatch):
    packed = packed_model('teacher')[1]
    name = 'vpd_mm/synthetic/checkpoints/' + packed.rpartition('/')[2]
    monkeypatch.chdir(tmp_path)
    assert find_weights(name) == packed
    own = tmp_path / name
    own.parent.mkdir(parents=True)
    own.write_bytes(b'')
    assert find_weights(name) == name
    for other in ('work_dirs/x/epoch_1.pth', 'torchvision://resnet34', packed):
        assert find_weights(other) == other
