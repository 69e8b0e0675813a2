package org.cnnkeras.demo.ui.screens

import android.os.Bundle
import android.view.View
import android.widget.TextView
import org.cnnkeras.demo.R
import org.cnnkeras.demo.image.DecodedImage
import org.cnnkeras.demo.image.Point
import org.cnnkeras.demo.image.StrokeDrawing
import org.cnnkeras.demo.ui.state.UiState
import org.cnnkeras.demo.ui.views.DrawingView
import org.cnnkeras.demo.ui.views.isVisible
import org.cnnkeras.demo.ui.views.requireView

/** A drawing pad; the drawing is classified while the user draws. */
class DrawingActivity : BaseActivity() {
    private lateinit var pad: DrawingView
    private lateinit var result: ResultCard

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setLayout(R.layout.drawing)
        requireView<TextView>(R.id.title).setText(R.string.draw)
        result = ResultCard(this)
        pad = requireView(R.id.drawing_pad)
        @Suppress("UNCHECKED_CAST") // onRetainNonConfigurationInstance returns them
        pad.strokes = lastNonConfigurationInstance as List<List<Point>>? ?: emptyList()
        pad.onStrokesChanged = ::classify
        requireView<View>(R.id.undo).setOnClickListener {
            pad.strokes = pad.strokes.dropLast(1)
            classify()
        }
        requireView<View>(R.id.clear).setOnClickListener {
            pad.strokes = emptyList()
            classify()
        }
    }

    /** Keeps the drawing during a rotation. */
    override fun onRetainNonConfigurationInstance(): Any = pad.strokes

    private fun classify() {
        val drawing = StrokeDrawing(pad.strokes)
        if (drawing.isEmpty) return stateHolder.clearImage()
        stateHolder.classifyLatest { model ->
            val (height, width) = model.preprocessing
            DecodedImage(drawing.render(width, height, model.drawingStyle), isDrawing = true)
        }
    }

    override fun render(state: UiState) {
        val isDrawn = pad.strokes.isNotEmpty()
        requireView<View>(R.id.undo).isEnabled = isDrawn
        requireView<View>(R.id.clear).isEnabled = isDrawn
        // Without strokes, the last image comes from another screen.
        val classified = (state.settled as? UiState.Classified).takeIf { isDrawn }
        result.show(classified?.openModel?.model, classified?.classification)
        findViewById<View>(R.id.empty)?.isVisible = classified == null
        findViewById<TextView>(R.id.empty_title)?.setText(R.string.draw_title)
        findViewById<TextView>(R.id.empty_text)?.setText(R.string.draw_text)
    }
}
