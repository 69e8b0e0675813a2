package org.cnnkeras.demo.ui.screens

import android.annotation.TargetApi
import android.app.AlertDialog
import android.content.ActivityNotFoundException
import android.content.Intent
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.os.Parcelable
import android.provider.MediaStore
import android.view.View
import android.view.ViewGroup
import android.widget.ArrayAdapter
import android.widget.TextView
import org.cnnkeras.demo.R
import org.cnnkeras.demo.ui.state.ContentSource
import org.cnnkeras.demo.ui.state.ModelEntry
import org.cnnkeras.demo.ui.state.OpenModel
import org.cnnkeras.demo.ui.state.State
import org.cnnkeras.demo.ui.views.Segments
import org.cnnkeras.demo.ui.views.facts
import org.cnnkeras.demo.ui.views.isPresent
import org.cnnkeras.demo.ui.views.part
import org.cnnkeras.demo.ui.views.threadsOf
import org.cnnkeras.demo.ui.views.update

/** The model, ways to show it an image, what it says, and how long that took. */
class MainActivity : Screen() {
    private lateinit var result: ResultCard
    private lateinit var times: TimesCard
    private lateinit var model: ModelCard
    private lateinit var threads: Segments
    private var dialog: AlertDialog? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        show(R.layout.main)
        result = ResultCard(this)
        times = TimesCard(this)
        model = ModelCard(this)
        threads = threadsOf(part(R.id.threads))
        threads.onChosen = ::setThreads
        part<View>(R.id.model_chip).setOnClickListener { chooseModel() }
        part<View>(R.id.photo).setOnClickListener { choosePhoto() }
        part<View>(R.id.camera).setOnClickListener { start(CameraActivity::class.java) }
        part<View>(R.id.draw).setOnClickListener { start(DrawingActivity::class.java) }
        part<View>(R.id.benchmark).setOnClickListener {
            start(BenchmarkActivity::class.java)
        }
        part<View>(R.id.remove).setOnClickListener {
            store.state.settled.open?.let { store.remove(it.entry, it.numThreads) }
        }
        if (savedInstanceState == null) receive(intent)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        setIntent(intent)
        receive(intent)
    }

    /** Takes what another app offers: a model to open or an image to classify. */
    private fun receive(intent: Intent) {
        // Chosen among the recent apps: what was offered then was taken then.
        if (intent.flags and Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY != 0) return
        when (intent.action) {
            Intent.ACTION_VIEW -> intent.data?.let(::openModel)
            Intent.ACTION_SEND -> stream(intent)?.let(::showImage)
        }
    }

    private fun stream(intent: Intent): Uri? {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) return typedStream(intent)
        @Suppress("DEPRECATION") // its successor came with Android 13
        return intent.getParcelableExtra<Parcelable>(Intent.EXTRA_STREAM) as? Uri
    }

    @TargetApi(Build.VERSION_CODES.TIRAMISU)
    private fun typedStream(intent: Intent): Uri? =
        intent.getParcelableExtra(Intent.EXTRA_STREAM, Uri::class.java)

    private fun openModel(uri: Uri) =
        store.open(ContentSource(contentResolver, uri), numThreads())

    private fun showImage(uri: Uri) = store.show(ContentSource(contentResolver, uri))

    private fun numThreads(): Int = store.state.settled.open?.numThreads ?: requestedThreads()

    private fun start(screen: Class<out Screen>) = startActivity(Intent(this, screen))

    private fun chooseModel() {
        val entries = store.entries()
        val items = entries.map<ModelEntry, ModelEntry?> { it } + null // the last opens another
        dialog = AlertDialog.Builder(this)
            .setTitle(R.string.models)
            .setAdapter(ModelAdapter(items)) { _, index ->
                when (val entry = items[index]) {
                    null -> pickModel()
                    else -> store.open(entry, numThreads())
                }
            }
            .show()
    }

    private inner class ModelAdapter(items: List<ModelEntry?>) :
        ArrayAdapter<ModelEntry?>(this, R.layout.row_model, R.id.label, items) {
        override fun getView(position: Int, convertView: View?, parent: ViewGroup): View {
            val view = convertView ?: layoutInflater.inflate(R.layout.row_model, parent, false)
            val entry = getItem(position)
            val isOpen = entry != null && entry == store.state.settled.open?.entry
            view.part<TextView>(R.id.label).text =
                entry?.let(::title) ?: getString(R.string.open_model)
            view.part<TextView>(R.id.origin).setText(
                when {
                    entry == null -> R.string.open_model_hint
                    entry.builtIn -> R.string.built_in
                    else -> R.string.opened
                },
            )
            view.isSelected = isOpen // for those who hear it
            view.part<View>(R.id.check).visibility =
                if (isOpen) View.VISIBLE else View.INVISIBLE
            return view
        }
    }

    /** The file's name, which may be broken behind each `_`. */
    private fun title(entry: ModelEntry): String =
        entry.fileName.removeSuffix(".tflite").replace("_", "_\u200B")

    private fun pickModel() {
        // Files of this kind have no type of their own.
        val intent = Intent(Intent.ACTION_OPEN_DOCUMENT)
            .addCategory(Intent.CATEGORY_OPENABLE)
            .setType("*/*")
        if (!pick(intent, PICK_MODEL)) store.fail(getString(R.string.no_picker))
    }

    private fun choosePhoto() {
        val older = Intent(Intent.ACTION_GET_CONTENT)
            .addCategory(Intent.CATEGORY_OPENABLE)
            .setType("image/*")
        val isNew = Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU
        val newer = Intent(MediaStore.ACTION_PICK_IMAGES).setType("image/*")
        if (isNew && pick(newer, PICK_IMAGE)) return
        if (!pick(older, PICK_IMAGE)) store.fail(getString(R.string.no_picker))
    }

    private fun pick(intent: Intent, request: Int): Boolean = try {
        startActivityForResult(intent, request)
        true
    } catch (_: ActivityNotFoundException) {
        false
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        super.onActivityResult(requestCode, resultCode, data)
        val uri = data?.data.takeIf { resultCode == RESULT_OK } ?: return
        when (requestCode) {
            PICK_MODEL -> openModel(uri)
            PICK_IMAGE -> showImage(uri)
        }
    }

    override fun render(state: State) {
        val settled = state.settled
        val open = settled.open
        part<TextView>(R.id.model_name).update(title(state, open))
        part<TextView>(R.id.model_facts).update(subtitle(state, open))
        for (id in listOf(R.id.photo, R.id.camera)) {
            part<View>(id).isPresent = open != null
        }
        val canDraw = open?.model?.preprocessing?.channels == 1
        part<View>(R.id.draw).isPresent = canDraw
        val seen = (settled as? State.Classified)?.classification
        result.show(open?.model, seen)
        times.show(seen?.times)
        model.show(open)
        threads.chosen = open?.numThreads
        part<View>(R.id.empty).isPresent = seen == null && state !is State.Opening
        part<TextView>(R.id.empty_title).setText(
            when {
                state is State.Classifying -> R.string.classifying
                open == null -> R.string.no_model
                else -> R.string.empty_title
            },
        )
        part<TextView>(R.id.empty_text).setText(
            when {
                open == null -> R.string.empty_text_closed
                canDraw -> R.string.empty_text_draw
                else -> R.string.empty_text
            },
        )
    }

    private fun title(state: State, open: OpenModel?): String = when {
        state is State.Opening && state.name == null -> getString(R.string.opening_file)
        state is State.Opening -> getString(R.string.opening, state.name)
        open == null -> getString(R.string.no_model)
        else -> open.model.name
    }

    private fun subtitle(state: State, open: OpenModel?): String = when {
        state is State.Opening || open == null -> getString(R.string.choose_model)
        else -> resources.facts(open.model)
    }

    override fun onDestroy() {
        dialog?.dismiss()
        super.onDestroy()
    }

    private companion object {
        const val PICK_MODEL = 1
        const val PICK_IMAGE = 2
    }
}
