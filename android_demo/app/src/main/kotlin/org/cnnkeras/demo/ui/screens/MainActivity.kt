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
import android.widget.Switch
import android.widget.TextView
import org.cnnkeras.demo.R
import org.cnnkeras.demo.image.trainingBackground
import org.cnnkeras.demo.ui.state.ContentUriFile
import org.cnnkeras.demo.ui.state.ModelEntry
import org.cnnkeras.demo.ui.state.OpenModel
import org.cnnkeras.demo.ui.state.UiState
import org.cnnkeras.demo.ui.views.SegmentedControl
import org.cnnkeras.demo.ui.views.isVisible
import org.cnnkeras.demo.ui.views.modelSummary
import org.cnnkeras.demo.ui.views.requireView
import org.cnnkeras.demo.ui.views.setTextIfChanged
import org.cnnkeras.demo.ui.views.threadCountControl

/** The start screen: the model, buttons to choose an image, the result and the stage times. */
class MainActivity : BaseActivity() {
    private lateinit var result: ResultCard
    private lateinit var times: TimesCard
    private lateinit var model: ModelCard
    private lateinit var threads: SegmentedControl
    private var dialog: AlertDialog? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setLayout(R.layout.main)
        result = ResultCard(this)
        times = TimesCard(this)
        model = ModelCard(this)
        threads = threadCountControl(requireView(R.id.threads))
        threads.onSelected = ::setNumThreads
        requireView<View>(R.id.model_chip).setOnClickListener { chooseModel() }
        requireView<View>(R.id.choose_photo).setOnClickListener { choosePhoto() }
        requireView<View>(R.id.open_camera).setOnClickListener { start(CameraActivity::class.java) }
        requireView<View>(R.id.open_drawing).setOnClickListener {
            start(DrawingActivity::class.java)
        }
        requireView<Switch>(R.id.adapt_photos).apply {
            setOnClickListener { stateHolder.setAdaptsPhotos(isChecked) }
        }
        requireView<View>(R.id.open_benchmark).setOnClickListener {
            start(BenchmarkActivity::class.java)
        }
        requireView<View>(R.id.remove_model).setOnClickListener {
            stateHolder.state.settled.openModel?.let { stateHolder.remove(it.entry, it.numThreads) }
        }
        if (savedInstanceState == null) handleIntent(intent)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        setIntent(intent)
        handleIntent(intent)
    }

    /** Opens the model or classifies the image of an intent from another app. */
    private fun handleIntent(intent: Intent) {
        // The user starts the app from the recent apps: it has handled this intent already.
        if (intent.flags and Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY != 0) return
        when (intent.action) {
            Intent.ACTION_VIEW -> intent.data?.let(::openModel)
            Intent.ACTION_SEND -> sharedUri(intent)?.let(::classifyImage)
        }
    }

    private fun sharedUri(intent: Intent): Uri? {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) return sharedUriTyped(intent)
        @Suppress("DEPRECATION") // the replacement needs Android 13
        return intent.getParcelableExtra<Parcelable>(Intent.EXTRA_STREAM) as? Uri
    }

    @TargetApi(Build.VERSION_CODES.TIRAMISU)
    private fun sharedUriTyped(intent: Intent): Uri? =
        intent.getParcelableExtra(Intent.EXTRA_STREAM, Uri::class.java)

    private fun openModel(uri: Uri) =
        stateHolder.open(ContentUriFile(contentResolver, uri), numThreads())

    private fun classifyImage(uri: Uri) = stateHolder.classify(ContentUriFile(contentResolver, uri))

    private fun numThreads(): Int =
        stateHolder.state.settled.openModel?.numThreads ?: requestedNumThreads()

    private fun start(screen: Class<out BaseActivity>) = startActivity(Intent(this, screen))

    private fun chooseModel() {
        val entries = stateHolder.entries()
        val items = entries.map<ModelEntry, ModelEntry?> { it } + null // the last item opens a file
        dialog = AlertDialog.Builder(this)
            .setTitle(R.string.models)
            .setAdapter(ModelAdapter(items)) { _, index ->
                when (val entry = items[index]) {
                    null -> pickModel()
                    else -> stateHolder.open(entry, numThreads())
                }
            }
            .show()
    }

    private inner class ModelAdapter(items: List<ModelEntry?>) :
        ArrayAdapter<ModelEntry?>(this, R.layout.row_model, R.id.label, items) {
        override fun getView(position: Int, convertView: View?, parent: ViewGroup): View {
            val view = convertView ?: layoutInflater.inflate(R.layout.row_model, parent, false)
            val entry = getItem(position)
            val isOpen = entry != null && entry == stateHolder.state.settled.openModel?.entry
            view.requireView<TextView>(R.id.label).text =
                entry?.let(::title) ?: getString(R.string.open_model)
            view.requireView<TextView>(R.id.origin).setText(
                when {
                    entry == null -> R.string.open_model_hint
                    entry.builtIn -> R.string.built_in
                    else -> R.string.opened
                },
            )
            view.isSelected = isOpen // for screen readers
            view.requireView<View>(R.id.selected_mark).visibility =
                if (isOpen) View.VISIBLE else View.INVISIBLE
            return view
        }
    }

    /** Returns the file name with an optional line break after each `_`. */
    private fun title(entry: ModelEntry): String =
        entry.fileName.removeSuffix(".tflite").replace("_", "_\u200B")

    private fun pickModel() {
        // There is no MIME type for `.tflite` files.
        val intent = Intent(Intent.ACTION_OPEN_DOCUMENT)
            .addCategory(Intent.CATEGORY_OPENABLE)
            .setType("*/*")
        if (!pick(intent, PICK_MODEL)) stateHolder.reportError(getString(R.string.no_picker))
    }

    private fun choosePhoto() {
        val documentPicker = Intent(Intent.ACTION_GET_CONTENT)
            .addCategory(Intent.CATEGORY_OPENABLE)
            .setType("image/*")
        val hasPhotoPicker = Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU
        val photoPicker = Intent(MediaStore.ACTION_PICK_IMAGES).setType("image/*")
        if (hasPhotoPicker && pick(photoPicker, PICK_IMAGE)) return
        if (!pick(documentPicker, PICK_IMAGE)) {
            stateHolder.reportError(getString(R.string.no_picker))
        }
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
            PICK_IMAGE -> classifyImage(uri)
        }
    }

    override fun render(state: UiState) {
        val settled = state.settled
        val open = settled.openModel
        requireView<TextView>(R.id.model_name).setTextIfChanged(title(state, open))
        requireView<TextView>(R.id.model_facts).setTextIfChanged(subtitle(state, open))
        for (id in listOf(R.id.choose_photo, R.id.open_camera)) {
            requireView<View>(id).isVisible = open != null
        }
        val canDraw = open?.model?.preprocessing?.channels == 1
        requireView<View>(R.id.open_drawing).isVisible = canDraw
        requireView<Switch>(R.id.adapt_photos).apply {
            isVisible = open != null && trainingBackground(open.model.preprocessing) != null
            isChecked = stateHolder.adaptsPhotos
        }
        val classification = (settled as? UiState.Classified)?.classification
        result.show(open?.model, classification)
        times.show(classification?.times)
        model.show(open)
        threads.selected = open?.numThreads
        requireView<View>(R.id.empty).isVisible =
            classification == null && state !is UiState.Opening
        requireView<TextView>(R.id.empty_title).setText(
            when {
                state is UiState.Classifying -> R.string.classifying
                open == null -> R.string.no_model
                else -> R.string.empty_title
            },
        )
        requireView<TextView>(R.id.empty_text).setText(
            when {
                open == null -> R.string.empty_text_closed
                canDraw -> R.string.empty_text_draw
                else -> R.string.empty_text
            },
        )
    }

    private fun title(state: UiState, open: OpenModel?): String = when {
        state is UiState.Opening && state.name == null -> getString(R.string.opening_file)
        state is UiState.Opening -> getString(R.string.opening, state.name)
        open == null -> getString(R.string.no_model)
        else -> open.model.name
    }

    private fun subtitle(state: UiState, open: OpenModel?): String = when {
        state is UiState.Opening || open == null -> getString(R.string.choose_model)
        else -> resources.modelSummary(open.model)
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
