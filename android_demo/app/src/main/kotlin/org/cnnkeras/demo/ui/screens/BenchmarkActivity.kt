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
import org.cnnkeras.demo.ui.DemoApplication
import org.cnnkeras.demo.ui.state.Record
import org.cnnkeras.demo.ui.state.State
import org.cnnkeras.demo.ui.views.BarView
import org.cnnkeras.demo.ui.views.Segments
import org.cnnkeras.demo.ui.views.facts
import org.cnnkeras.demo.ui.views.fill
import org.cnnkeras.demo.ui.views.isPresent
import org.cnnkeras.demo.ui.views.milliseconds
import org.cnnkeras.demo.ui.views.part
import org.cnnkeras.demo.ui.views.significant
import org.cnnkeras.demo.ui.views.threadsOf
import org.cnnkeras.demo.ui.views.update

/**
 * Measures the open model, or the one that a command names:
 *
 * ```
 * adb shell am start -n org.cnnkeras.demo/.ui.screens.BenchmarkActivity \
 *     --es model lenet5_digits --ei threads 2 --ef seconds 10
 * ```
 *
 * The row is appended to `benchmarks.jsonl` and logged, and is read by
 * `adb logcat -s cnn-keras` or
 * `adb pull /sdcard/Android/data/org.cnnkeras.demo/files/benchmarks.jsonl`.
 */
class BenchmarkActivity : Screen() {
    private lateinit var threads: Segments
    private lateinit var duration: Segments
    private var shown: Record? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        show(R.layout.benchmark)
        part<TextView>(R.id.title).setText(R.string.benchmark)
        threads = threadsOf(part(R.id.threads))
        threads.onChosen = ::setThreads
        duration = Segments(
            part(R.id.duration),
            listOf(3, 10, 60),
            { getString(R.string.seconds, it) },
            { resources.getQuantityString(R.plurals.seconds_spoken, it, it) },
        )
        duration.chosen = savedInstanceState?.getInt(DURATION) ?: 3
        part<View>(R.id.run).setOnClickListener { runOrStop() }
        part<View>(R.id.share).setOnClickListener { shown?.let(::share) }
        if (savedInstanceState == null) obey(intent)
        store.history(::showEarlier)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        setIntent(intent)
        obey(intent)
    }

    /** Runs what a command asks for. */
    private fun obey(intent: Intent) {
        val name = intent.getStringExtra(MODEL) ?: return
        val entry = store.find(name)
        if (entry == null) {
            val known = store.entries().joinToString { it.fileName.removeSuffix(".tflite") }
            return store.fail(getString(R.string.unknown_model, name, known))
        }
        val seconds = intent.getFloatExtra(SECONDS, duration.chosen!!.toFloat())
        store.measure(entry, requestedThreads(), seconds.coerceIn(MIN_SECS, MAX_SECS).toDouble())
    }

    private fun runOrStop() {
        if (store.state is State.Measuring) return store.stopMeasuring()
        val open = store.state.settled.open ?: return
        store.measure(open.entry, open.numThreads, duration.chosen!!.toDouble())
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putInt(DURATION, duration.chosen!!)
    }

    /** In the background the system takes cores away: what is measured there is not the model. */
    override fun onStop() {
        if (!isChangingConfigurations) store.stopMeasuring()
        super.onStop()
    }

    override fun render(state: State) {
        val open = state.settled.open
        val isMeasuring = state is State.Measuring
        part<TextView>(R.id.model_name).update(
            open?.model?.name ?: getString(R.string.no_model),
        )
        part<TextView>(R.id.model_facts).update(
            open?.let { resources.facts(it.model) }.orEmpty(),
        )
        threads.chosen = open?.numThreads
        threads.isEnabled = !isMeasuring
        duration.isEnabled = !isMeasuring
        part<Button>(R.id.run).apply {
            isEnabled = isMeasuring || state is State.Settled || state is State.Measured
            update(getString(if (isMeasuring) R.string.stop else R.string.run))
        }
        part<View>(R.id.progress).isPresent = isMeasuring
        if (state is State.Measuring) showProgress(state)
        if (state is State.Measured && state.record != shown) {
            shown = state.record
            store.history(::showEarlier)
        }
        showRecord()
        keepScreenOn(isMeasuring)
    }

    private fun keepScreenOn(isOn: Boolean) {
        val flag = WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON
        if (isOn) window.addFlags(flag) else window.clearFlags(flag)
    }

    private fun showProgress(state: State.Measuring) {
        val progress = state.progress
        val share = progress?.fraction?.toFloat() ?: 0f
        part<BarView>(R.id.progress_bar).parts =
            listOf(BarView.Part(share, getColor(R.color.accent)))
        part<TextView>(R.id.progress_text).text =
            if (progress == null) getString(R.string.warming_up) else runs(progress.runs)
    }

    private fun runs(count: Int): String =
        resources.getQuantityString(R.plurals.runs, count, NumberFormat.getInstance().format(count))

    private fun showRecord() {
        val record = shown
        part<View>(R.id.measured).isPresent = record != null
        if (record == null) return
        part<TextView>(R.id.measured_title).update(title(record))
        part<TextView>(R.id.p50).update(significant(record.p50))
        part<TextView>(R.id.p90).update(significant(record.p90))
        part<TextView>(R.id.p99).update(significant(record.p99))
        val facts = part<ViewGroup>(R.id.measured_facts)
        facts.fill(facts(record), R.layout.row_fact) { (label, value) ->
            part<TextView>(R.id.label).setText(label)
            part<TextView>(R.id.value).text = value
        }
    }

    private fun title(record: Record): String = getString(
        R.string.measured_title,
        record.file.removeSuffix(".tflite"),
        resources.getQuantityString(R.plurals.threads, record.numThreads, record.numThreads),
    )

    private fun facts(record: Record): List<Pair<Int, String>> = listOfNotNull(
        R.string.inferences to NumberFormat.getInstance().format(record.runs),
        R.string.first to resources.milliseconds(record.first),
        R.string.load to resources.milliseconds(record.load),
        record.slowdown?.let { R.string.throttling to getString(R.string.throttling_ratio, it) },
        battery(record)?.let { R.string.battery to it },
        record.thermalStatus?.let { R.string.thermal to it },
    )

    private fun battery(record: Record): String? = listOfNotNull(
        record.batteryPercent?.let { getString(R.string.battery_percent, it) },
        record.batteryCelsius?.let { getString(R.string.celsius, it) },
    ).joinToString(", ").ifEmpty { null }

    private fun showEarlier(records: List<Record>) {
        if (isDestroyed) return
        part<View>(R.id.earlier).isPresent = records.isNotEmpty()
        val rows = part<ViewGroup>(R.id.earlier_rows)
        rows.fill(records, R.layout.row_earlier) { record ->
            part<TextView>(R.id.label).text = title(record)
            part<TextView>(R.id.`when`).text =
                WHEN.format(record.time.atZoneSameInstant(ZoneId.systemDefault()))
            part<TextView>(R.id.value).text = resources.milliseconds(record.p50)
            setOnClickListener {
                shown = record
                showRecord()
            }
        }
    }

    private fun share(record: Record) {
        val row = Intent(Intent.ACTION_SEND).setType("text/plain")
            .putExtra(Intent.EXTRA_TEXT, record.line)
        try {
            startActivity(Intent.createChooser(row, getString(R.string.share_title)))
        } catch (error: ActivityNotFoundException) {
            Log.w(DemoApplication.TAG, error)
        }
    }

    companion object {
        /** A number of seconds, as a float. */
        const val SECONDS = "seconds"

        private const val DURATION = "duration"
        private const val MIN_SECS = 0.1f
        private const val MAX_SECS = 600f
        private val WHEN: DateTimeFormatter =
            DateTimeFormatter.ofLocalizedDateTime(FormatStyle.MEDIUM, FormatStyle.SHORT)
    }
}
