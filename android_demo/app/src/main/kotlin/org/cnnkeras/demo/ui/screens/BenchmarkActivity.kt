package org.cnnkeras.demo.ui.screens

import android.content.ActivityNotFoundException
import android.content.Intent
import android.os.Bundle
import android.util.Log
import android.view.View
import android.view.ViewGroup
import android.view.WindowManager
import android.widget.Button
import android.widget.TextView
import java.text.NumberFormat
import java.time.ZoneId
import java.time.format.DateTimeFormatter
import java.time.format.FormatStyle
import org.cnnkeras.demo.R
import org.cnnkeras.demo.benchmark.BenchmarkJob
import org.cnnkeras.demo.ui.DemoApplication
import org.cnnkeras.demo.ui.state.BenchmarkResult
import org.cnnkeras.demo.ui.state.UiState
import org.cnnkeras.demo.ui.views.BarView
import org.cnnkeras.demo.ui.views.SegmentedControl
import org.cnnkeras.demo.ui.views.bindChildren
import org.cnnkeras.demo.ui.views.formatMilliseconds
import org.cnnkeras.demo.ui.views.formatSignificant
import org.cnnkeras.demo.ui.views.isVisible
import org.cnnkeras.demo.ui.views.modelSummary
import org.cnnkeras.demo.ui.views.requireView
import org.cnnkeras.demo.ui.views.setTextIfChanged
import org.cnnkeras.demo.ui.views.threadCountControl

/**
 * Benchmarks the open model, or the model that an intent names:
 *
 * ```
 * adb shell am start -n org.cnnkeras.demo/.ui.screens.BenchmarkActivity \
 *     --es model lenet5_digits --ei threads 2 --ef seconds 10
 * ```
 *
 * The extra `job` names a folder in the external files folder of the app instead, which contains a
 * [BenchmarkJob].
 *
 * The result is one row of JSON. It is logged, and appended to `benchmarks.jsonl`; read it with
 * `adb logcat -s cnn-keras` or
 * `adb pull /sdcard/Android/data/org.cnnkeras.demo/files/benchmarks.jsonl`.
 */
class BenchmarkActivity : BaseActivity() {
    private lateinit var threads: SegmentedControl
    private lateinit var duration: SegmentedControl
    private var shownResult: BenchmarkResult? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setLayout(R.layout.benchmark)
        requireView<TextView>(R.id.title).setText(R.string.benchmark)
        threads = threadCountControl(requireView(R.id.threads))
        threads.onSelected = ::setNumThreads
        duration = SegmentedControl(
            requireView(R.id.duration),
            listOf(3, 10, 60),
            { getString(R.string.seconds, it) },
            { resources.getQuantityString(R.plurals.seconds_description, it, it) },
        )
        duration.selected = savedInstanceState?.getInt(STATE_DURATION) ?: 3
        requireView<View>(R.id.run).setOnClickListener { runOrStop() }
        requireView<View>(R.id.share).setOnClickListener { shownResult?.let(::share) }
        if (savedInstanceState == null) runRequestedBenchmark(intent)
        stateHolder.loadHistory(::showHistory)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        setIntent(intent)
        runRequestedBenchmark(intent)
    }

    /** A model is not opened for a job, which loads its own. */
    override fun opensModel(): Boolean = intent.getStringExtra(EXTRA_JOB) == null

    /** Runs the benchmark that an intent requests. */
    private fun runRequestedBenchmark(intent: Intent) {
        intent.getStringExtra(EXTRA_JOB)?.let { return runJob(it) }
        val name = intent.getStringExtra(EXTRA_MODEL) ?: return
        val entry = stateHolder.find(name)
        if (entry == null) {
            val known = stateHolder.entries().joinToString { it.fileName.removeSuffix(".tflite") }
            return stateHolder.reportError(getString(R.string.unknown_model, name, known))
        }
        val seconds = intent.getFloatExtra(EXTRA_SECONDS, duration.selected!!.toFloat())
        stateHolder.runBenchmark(
            entry,
            requestedNumThreads(),
            seconds.coerceIn(MIN_SECS, MAX_SECS).toDouble(),
        )
    }

    /** Runs a job in a folder of the app; other apps can start this activity, too. */
    private fun runJob(name: String) {
        val folder = getExternalFilesDir(null)?.listFiles().orEmpty().firstOrNull {
            it.name == name && it.isDirectory
        } ?: return stateHolder.reportError(getString(R.string.unknown_job, name))
        stateHolder.runJob(folder)
    }

    private fun runOrStop() {
        if (stateHolder.state is UiState.Benchmarking) return stateHolder.stopBenchmark()
        val open = stateHolder.state.settled.openModel ?: return
        stateHolder.runBenchmark(open.entry, open.numThreads, duration.selected!!.toDouble())
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putInt(STATE_DURATION, duration.selected!!)
    }

    /** Stops the benchmark: in the background the system gives the app fewer cores. */
    override fun onStop() {
        if (!isChangingConfigurations) stateHolder.stopBenchmark()
        super.onStop()
    }

    override fun render(state: UiState) {
        val open = state.settled.openModel
        val isRunning = state is UiState.Benchmarking
        requireView<TextView>(R.id.model_name).setTextIfChanged(
            open?.model?.name ?: getString(R.string.no_model),
        )
        requireView<TextView>(R.id.model_facts).setTextIfChanged(
            open?.let { resources.modelSummary(it.model) }.orEmpty(),
        )
        threads.selected = open?.numThreads
        threads.isEnabled = !isRunning
        duration.isEnabled = !isRunning
        requireView<Button>(R.id.run).apply {
            isEnabled = isRunning || state is UiState.Settled || state is UiState.Benchmarked
            setTextIfChanged(getString(if (isRunning) R.string.stop else R.string.run))
        }
        requireView<View>(R.id.progress).isVisible = isRunning
        if (state is UiState.Benchmarking) showProgress(state)
        if (state is UiState.Benchmarked && state.result != shownResult) {
            shownResult = state.result
            stateHolder.loadHistory(::showHistory)
        }
        showResult()
        keepScreenOn(isRunning)
    }

    private fun keepScreenOn(isOn: Boolean) {
        val flag = WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON
        if (isOn) window.addFlags(flag) else window.clearFlags(flag)
    }

    private fun showProgress(state: UiState.Benchmarking) {
        val progress = state.progress
        val fraction = progress?.fraction?.toFloat() ?: 0f
        requireView<BarView>(R.id.progress_bar).parts =
            listOf(BarView.Part(fraction, getColor(R.color.accent)))
        requireView<TextView>(R.id.progress_text).text =
            if (progress == null) getString(R.string.warming_up) else runs(progress.runs)
    }

    private fun runs(count: Int): String =
        resources.getQuantityString(R.plurals.runs, count, NumberFormat.getInstance().format(count))

    private fun showResult() {
        val result = shownResult
        requireView<View>(R.id.benchmark_result).isVisible = result != null
        if (result == null) return
        requireView<TextView>(R.id.benchmark_title).setTextIfChanged(title(result))
        requireView<TextView>(R.id.p50).setTextIfChanged(formatSignificant(result.p50))
        requireView<TextView>(R.id.p90).setTextIfChanged(formatSignificant(result.p90))
        requireView<TextView>(R.id.p99).setTextIfChanged(formatSignificant(result.p99))
        val facts = requireView<ViewGroup>(R.id.benchmark_facts)
        facts.bindChildren(facts(result), R.layout.row_fact) { (label, value) ->
            requireView<TextView>(R.id.label).setText(label)
            requireView<TextView>(R.id.value).text = value
        }
    }

    private fun title(result: BenchmarkResult): String = getString(
        R.string.benchmark_title,
        result.file.removeSuffix(".tflite"),
        resources.getQuantityString(R.plurals.threads, result.numThreads, result.numThreads),
    )

    private fun facts(result: BenchmarkResult): List<Pair<Int, String>> = listOfNotNull(
        R.string.inferences to NumberFormat.getInstance().format(result.runs),
        R.string.first_inference to resources.formatMilliseconds(result.first),
        R.string.load_time to resources.formatMilliseconds(result.load),
        result.slowdown?.let { R.string.throttling to getString(R.string.throttling_ratio, it) },
        battery(result)?.let { R.string.battery to it },
        result.thermalStatus?.let { R.string.thermal to it },
    )

    private fun battery(result: BenchmarkResult): String? = listOfNotNull(
        result.batteryPercent?.let { getString(R.string.battery_percent, it) },
        result.batteryCelsius?.let { getString(R.string.celsius, it) },
    ).joinToString(", ").ifEmpty { null }

    private fun showHistory(results: List<BenchmarkResult>) {
        if (isDestroyed) return
        requireView<View>(R.id.history).isVisible = results.isNotEmpty()
        val rows = requireView<ViewGroup>(R.id.history_rows)
        rows.bindChildren(results, R.layout.row_history) { result ->
            requireView<TextView>(R.id.label).text = title(result)
            requireView<TextView>(R.id.time).text =
                TIME_FORMAT.format(result.time.atZoneSameInstant(ZoneId.systemDefault()))
            requireView<TextView>(R.id.value).text = resources.formatMilliseconds(result.p50)
            setOnClickListener {
                shownResult = result
                showResult()
            }
        }
    }

    private fun share(result: BenchmarkResult) {
        val row = Intent(Intent.ACTION_SEND).setType("text/plain")
            .putExtra(Intent.EXTRA_TEXT, result.json)
        try {
            startActivity(Intent.createChooser(row, getString(R.string.share_title)))
        } catch (error: ActivityNotFoundException) {
            Log.w(DemoApplication.TAG, error)
        }
    }

    companion object {
        /** The name of the folder of a job. */
        const val EXTRA_JOB = "job"

        /** The duration in seconds, a float. */
        const val EXTRA_SECONDS = "seconds"

        private const val STATE_DURATION = "duration"
        private const val MIN_SECS = 0.1f
        private const val MAX_SECS = 600f
        private val TIME_FORMAT: DateTimeFormatter =
            DateTimeFormatter.ofLocalizedDateTime(FormatStyle.MEDIUM, FormatStyle.SHORT)
    }
}
