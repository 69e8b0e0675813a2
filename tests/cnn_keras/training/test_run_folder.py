from __future__ import annotations

from pathlib import Path

from cnn_keras.training.run_folder import Run


def test_files_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("größe\n模型\n", encoding="utf-8-sig")
    (tmp_path / "config.json").write_text('{"network": "größe"}', encoding="utf-8-sig")
    run = Run(tmp_path)
    assert run.classes == ("größe", "模型")
    assert run.config == {"network": "größe"}
