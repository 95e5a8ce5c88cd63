"""The Python package against the command, on a model that the command trains. Run by tests/python/run.sh."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import numpy

import compress_onnx as compress
from compress_onnx import _library

COMMAND = os.environ["COMPRESS"]
DATA = "glyphs,train=200,test=60"


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._scratch = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls._scratch.name)
        cls.path = cls.dir / "mlp.onnx"
        subprocess.run([COMMAND, "train", "mlp:784-24-10", "--data", DATA, "--epochs", "2", "--seed", "1", "-q", "-o", cls.path], check=True)

    @classmethod
    def tearDownClass(cls):
        cls._scratch.cleanup()

    def test_structs_have_the_fields_of_the_header(self):
        header = (pathlib.Path(__file__).parents[2] / "include" / "compress" / "compress.h").read_text()
        header = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
        structs = {"mc_error": _library._CError, "mc_progress": _library._Progress, "mc_context": _library._Context, "mc_tensor_contents": _library.Contents}
        for name, struct in structs.items():
            body = re.search(r"struct %s \{(.*?)\n\};" % name, header, re.DOTALL).group(1)
            fields = []
            for line in filter(None, map(str.strip, body.split(";"))):
                pointer = re.search(r"\(\*(\w+)\)", line)
                fields += [pointer.group(1)] if pointer else re.findall(r"(\w+)(?:\[\d+\])?(?=,|$)", line)
            self.assertEqual([field[0] for field in struct._fields_], fields, name)

    def test_version_is_the_commands(self):
        told = subprocess.run([COMMAND, "version"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(told.strip(), "compress " + compress.version())

    def test_run_gives_what_the_command_gives(self):
        x = numpy.random.default_rng(3).standard_normal((2, 1, 28, 28)).astype(numpy.float32)
        model = compress.load(self.path)
        x = x.reshape([2] + [d for d in self._sample_shape(model)])
        numpy.save(self.dir / "x.npy", x)
        subprocess.run([COMMAND, "run", self.path, "--input", self.dir / "x.npy", "--output-dir", self.dir, "--format", "npy", "-q", "-f"], check=True)
        (y,) = model.run(x)
        self.assertEqual(y.shape, (2, 10))
        numpy.testing.assert_array_equal(y, numpy.load(self.dir / "output_0.npy"))
        (named,) = model.run(**{model.inputs[0]: x})
        numpy.testing.assert_array_equal(named, y)

    @staticmethod
    def _sample_shape(model):
        shape = model.info()["model_inputs"][0]["shape"].strip("[]").split(",")
        return [int(d) for d in shape[1:]]

    def test_run_refuses_what_does_not_fit(self):
        model = compress.load(self.path)
        with self.assertRaises(TypeError):
            model.run()
        with self.assertRaises(compress.Error) as caught:
            model.run(numpy.zeros((1, 3), numpy.float32))
        self.assertEqual(caught.exception.status, 4)

    def test_info_and_evaluate_are_records(self):
        model = compress.load(self.path)
        self.assertEqual(model.info()["parameters"], 784 * 24 + 24 + 24 * 10 + 10)
        record = model.evaluate(DATA)
        self.assertEqual(record["samples"], 60)
        self.assertGreater(record["accuracy"], 0.1)

    def test_prune_writes_a_smaller_model(self):
        out = self.dir / "small.onnx"
        record = compress.prune(self.path, out, method="channel", ratio=0.5)
        self.assertEqual(record["final"]["bytes"], out.stat().st_size)
        self.assertLess(record["final"]["parameters"], record["original"]["parameters"])

    def test_a_gate_that_fails_has_the_record(self):
        out = self.dir / "never.onnx"
        with self.assertRaises(compress.GateFailed) as caught:
            compress.prune(self.path, out, sparsity=0.5, gates={"max_bytes": 10})
        self.assertEqual(caught.exception.status, 1)
        self.assertFalse(caught.exception.record["gates_held"])
        self.assertFalse(out.exists())

    def test_apply_takes_a_file_and_settings(self):
        recipe = self.dir / "r.yaml"
        recipe.write_text("model: mlp.onnx\nsteps: [{prune: {sparsity: 0.5}}]\noutput: {model: a.onnx}\n")
        record = compress.apply(recipe, out=self.dir / "out", settings={"steps.0.prune.sparsity": 0.75})
        self.assertAlmostEqual(record["steps"][0]["options"]["sparsity"], 0.75)
        self.assertTrue((self.dir / "out" / "a.onnx").exists())

    def test_mistakes_are_errors_with_the_commands_status(self):
        with self.assertRaises(compress.Error) as caught:
            compress.prune(self.path, self.dir / "x.onnx", sparsty=0.5)
        self.assertEqual(caught.exception.status, 2)
        with self.assertRaises(compress.Error) as caught:
            compress.load(self.dir / "missing.onnx")
        self.assertEqual(caught.exception.status, 4)

    def test_progress_can_stop_the_work(self):
        seen = []

        def progress(what, done, total):
            seen.append(what)
            return False

        recipe = {"model": "mlp:784-16-10", "data": DATA, "steps": [{"train": {"epochs": 5}}]}
        with self.assertRaises(compress.Interrupted):
            compress.apply(recipe, progress=progress)
        self.assertTrue(seen)


if __name__ == "__main__":
    unittest.main()
