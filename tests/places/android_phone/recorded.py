"""What Android and `benchmark_model` print; no value here was measured by this project.

`TIMED` is the log of TensorFlow Lite 2.20 with ``--use_xnnpack=true`` in Texas Instruments'
Processor SDK documentation (AM62x, "Benchmark Tool for TFLite Model"). The line on replaced nodes
and the runs are from a public log of the arm64 build for Android ("android_aarch64_benchmark_model
--num_runs=1000"), the errors in `FAILED` too. Texts and order are those of LiteRT's
``tflite/tools/benchmark/benchmark_model.cc`` and ``benchmark_tflite_model.cc``.

`PROFILE` is what ``--enable_op_profiling=true`` adds: four lines of the 127 operations in the
documentation of Arm's Total Compute 2022 ("Expected test results", Mobile Object Localizer).

The answers of Android are shortened outputs of public logs of a Pixel 8 (Android 14).
"""

from __future__ import annotations

_START = """\
INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Num threads: [{threads}]
INFO: Graph: [{graph}]
INFO: Signature to run: []
INFO: #threads used for CPU inference: [{threads}]
INFO: Use xnnpack: [1]
INFO: Loaded model {graph}
INFO: Initialized TensorFlow Lite runtime.
"""
_RUNS = """\
INFO: The input model file size (MB): 24.6229
INFO: Initialized session in 119.515ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if \
exceeding 150 seconds.
INFO: count=9 first=87112 curr=51629 min=51629 max=87112 avg=58147.4 std=11478 p5=51629 \
median=51962 p95=87112

INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if \
exceeding 150 seconds.
INFO: count=1000 first=52162 curr=49785 min=49088 max=686105 avg=63743.2 std=60716 p5=49620 \
median=51891 p95=68628

INFO: Inference timings in us: Init: 119515, First inference: 87112, Warmup (avg): 58147.4, \
Inference (avg): 63743.2
INFO: Note: as the benchmark tool itself affects memory footprint, the following is only \
APPROXIMATE to the actual memory footprint of the model at runtime. Take the information at your \
discretion.
INFO: Memory footprint delta from the start of the tool (MB): init=55.4961 overall=55.4961
"""

TIMED = (
    _START
    + """\
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: XNNPACK delegate created.
VERBOSE: Replacing 15 out of 15 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 1 \
partitions for subgraph 0.
INFO: Explicitly applied XNNPACK delegate, and the model graph will be completely executed by the \
delegate.
"""
    + _RUNS
)

NOT_APPLIED = (
    _START
    + """\
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: XNNPACK delegate created.
INFO: Though XNNPACK delegate is explicitly applied, the model graph will not be executed by the \
delegate.
"""
    + _RUNS
)

_COLUMNS = "\t".join(
    (
        "\t                         [node type]",
        "  [first]",
        " [avg ms]",
        "     [%]",
        "  [cdf%]",
        "  [mem KB]",
        "[times called]",
        "[Name]",
    )
)
PROFILE = f"""\
INFO: Profiling Info for Benchmark Initialization:
============================== Run Order ==============================
{_COLUMNS}
\t             ModifyGraphWithDelegate\t   14.842\t   14.842\t 99.317%\t 99.317%\
\t  3428.000\t        1\tModifyGraphWithDelegate/0

Number of nodes executed: 2

INFO: Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
{_COLUMNS}
\t       Convolution (NHWC, QU8) IGEMM\t    0.267\t    0.278\t  3.783%\t  3.783%\
\t     0.000\t        1\tDelegate/Convolution (NHWC, QU8) IGEMM:0
\t      Convolution (NHWC, QU8) DWConv\t    0.243\t    0.271\t  3.681%\t  7.464%\
\t     0.000\t        1\tDelegate/Convolution (NHWC, QU8) DWConv:1
\t        Convolution (NHWC, QU8) GEMM\t    0.089\t    0.097\t  1.314%\t  8.778%\
\t     0.000\t        1\tDelegate/Convolution (NHWC, QU8) GEMM:2
\t                       Add (ND, QU8)\t    0.051\t    0.051\t  0.693%\t 26.477%\
\t     0.000\t        1\tDelegate/Add (ND, QU8):9

============================== Top by Computation Time ==============================
{_COLUMNS}
\t        Convolution (NHWC, QU8) GEMM\t    0.324\t    0.338\t  4.598%\t 13.375%\
\t     0.000\t        1\tDelegate/Convolution (NHWC, QU8) GEMM:3

Number of nodes executed: 127
"""

FAILED = """\
INFO: STARTING!
INFO: Loaded model {graph}
ERROR: tensorflow/lite/kernels/batch_matmul.cc:353 lhs_data->type == rhs_data->type was not true.
ERROR: Node number 57 (BATCH_MATMUL) failed to prepare.
ERROR: Failed to allocate tensors!
ERROR: Benchmarking failed.
"""

PROPERTIES = """\
[ro.board.platform]: [zuma]
[ro.build.version.release]: [14]
[ro.build.version.sdk]: [34]
[ro.product.cpu.abi]: [arm64-v8a]
[ro.product.cpu.abilist]: [{abis}]
[ro.product.manufacturer]: [Google]
[ro.product.model]: [{model}]
[ro.soc.manufacturer]: [Google]
[ro.soc.model]: [Tensor G3]
"""

FILES = {
    "/proc/cpuinfo": "".join(
        f"processor\t: {core}\nBogoMIPS\t: 49.15\n"
        "Features\t: fp asimd evtstrm aes atomics fphp asimdhp asimddp i8mm bf16\n\n"
        for core in range(9)
    ),
    "/proc/meminfo": "MemTotal:        7753196 kB\nMemFree:          238788 kB\n",
    "/proc/loadavg": "2.51 2.90 3.10 1/3872 12345\n",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "sched_pixel\n",
}

COMMANDS = {
    "uname -r": "5.15.110-android14-11-g66fb5fa8d1c3\n",
    "uname -m": "aarch64\n",
    "dumpsys battery": """\
Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 500000
  status: 2
  present: true
  level: 80
  scale: 100
  voltage: 4231
  temperature: 291
  technology: Li-ion
""",
    "dumpsys thermalservice": """\
IsStatusOverride: false
ThermalEventListeners:
	callbacks: 1
Thermal Status: 1
Cached temperatures:
	Temperature{mValue=33.931, mType=3, mName=VIRTUAL-SKIN, mStatus=1}
HAL Ready: true
""",
    "crash": """\
FATAL EXCEPTION: network
Process: org.cnnkeras.demo, PID: 4711
java.lang.IllegalStateException: The engine is closed.
	at org.cnnkeras.demo.engine.LiteRtEngineFactory.open(LiteRtEngineFactory.kt:20)
""",
}
