package org.cnnkeras.demo.ui.screens

import android.os.Bundle
import android.view.View
import android.widget.TextView
import org.cnnkeras.demo.R
import org.cnnkeras.demo.image.Decoded
import org.cnnkeras.demo.image.Point
import org.cnnkeras.demo.image.Sketch
import org.cnnkeras.demo.ui.state.State
import org.cnnkeras.demo.ui.views.SketchView
import org.cnnkeras.demo.ui.views.isPresent
import org.cnnkeras.demo.ui.views.part

/** Paper on which a finger draws what the network classifies meanwhile. */
class DrawingActivity : Screen() {
    private lateinit var pad: SketchView
    private lateinit var result: ResultCard

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        show(R.layout.drawing)
        part<TextView>(R.id.title).setText(R.string.draw)
        result = ResultCard(this)
        pad = part(R.id.pad)
        @Suppress("UNCHECKED_CAST") // it is this class that kept them
        pad.strokes = lastNonConfigurationInstance as List<List<Point>>? ?: emptyList()
        pad.onDrawn = ::classify
        part<View>(R.id.undo).setOnClickListener {
            pad.strokes = pad.strokes.dropLast(1)
            classify()
        }
        part<View>(R.id.clear).setOnClickListener {
            pad.strokes = emptyList()
            classify()
        }
    }

    /** What was drawn is kept while the screen turns. */
    override fun onRetainNonConfigurationInstance(): Any = pad.strokes

    private fun classify() {
        val sketch = Sketch(pad.strokes)
        if (sketch.isEmpty) return store.clear()
        store.stream { model ->
            val (height, width) = model.preprocessing
            Decoded(sketch.picture(width, height, model.drawing))
        }
    }

    override fun render(state: State) {
        val isDrawn = pad.strokes.isNotEmpty()
        part<View>(R.id.undo).isEnabled = isDrawn
        part<View>(R.id.clear).isEnabled = isDrawn
        // Without strokes the last image is a photo of another screen.
        val seen = (state.settled as? State.Classified).takeIf { isDrawn }
        result.show(seen?.open?.model, seen?.classification)
        findViewById<View>(R.id.empty)?.isPresent = seen == null
        findViewById<TextView>(R.id.empty_title)?.setText(R.string.draw_title)
        findViewById<TextView>(R.id.empty_text)?.setText(R.string.draw_text)
    }
}
