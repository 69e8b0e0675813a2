package org.cnnkeras.demo.ui

import android.app.Application
import android.os.Handler
import android.os.Looper
import android.util.Log
import java.io.File
import java.io.InputStream
import java.util.concurrent.Executor
import java.util.concurrent.Executors
import org.cnnkeras.demo.engine.EngineFactory
import org.cnnkeras.demo.engine.LiteRtEngineFactory
import org.cnnkeras.demo.ui.state.AndroidDeviceReader
import org.cnnkeras.demo.ui.state.BenchmarkHistory
import org.cnnkeras.demo.ui.state.BitmapDecoder
import org.cnnkeras.demo.ui.state.BuiltInModels
import org.cnnkeras.demo.ui.state.ModelRepository
import org.cnnkeras.demo.ui.state.StateHolder
import org.cnnkeras.demo.ui.state.UiState

/** Creates the objects that all screens share. */
open class DemoApplication : Application() {
    /** The inference runtime; tests replace it with one that runs on their machine. */
    protected open val engines: EngineFactory get() = LiteRtEngineFactory()

    private val handler = Handler(Looper.getMainLooper())

    /** Holds the state that all screens share. */
    val stateHolder: StateHolder by lazy {
        StateHolder(
            models = ModelRepository(
                Assets(),
                File(filesDir, MODELS),
                File(cacheDir, MODELS),
                pushed = getExternalFilesDir(null),
            ),
            engines = engines,
            decoder = BitmapDecoder(),
            // A computer can read the second folder: `adb pull /sdcard/Android/data/…`.
            history = BenchmarkHistory(listOfNotNull(filesDir, getExternalFilesDir(null))) {
                Log.i(TAG, it)
            },
            deviceReader = AndroidDeviceReader(this),
            main = Executor { handler.post(it) },
            background = Executors.newSingleThreadExecutor { Thread(it, "network") },
        ).apply { observe { if (it is UiState.Failed) Log.w(TAG, it.message) } }
    }

    private inner class Assets : BuiltInModels {
        override fun names(): List<String> =
            assets.list(MODELS).orEmpty().filter { it.endsWith(".tflite") }

        override fun open(name: String): InputStream = assets.open("$MODELS/$name")
    }

    companion object {
        /** The tag of every line that the app logs: `adb logcat -s cnn-keras`. */
        const val TAG = "cnn-keras"

        private const val MODELS = "models"
    }
}
