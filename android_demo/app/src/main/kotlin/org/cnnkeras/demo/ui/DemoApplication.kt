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
import org.cnnkeras.demo.ui.state.AndroidPhone
import org.cnnkeras.demo.ui.state.BitmapDecoder
import org.cnnkeras.demo.ui.state.BuiltInFiles
import org.cnnkeras.demo.ui.state.Ledger
import org.cnnkeras.demo.ui.state.ModelShelf
import org.cnnkeras.demo.ui.state.State
import org.cnnkeras.demo.ui.state.Store

/** Puts the app together. */
open class DemoApplication : Application() {
    /** The runtime, which tests replace by the one of their machine. */
    protected open val engines: EngineFactory get() = LiteRtEngineFactory()

    private val handler = Handler(Looper.getMainLooper())

    /** What all screens share. */
    val store: Store by lazy {
        Store(
            shelf = ModelShelf(Assets(), File(filesDir, MODELS), File(cacheDir, MODELS)),
            engines = engines,
            decoder = BitmapDecoder(),
            // A host reads the second folder without root: `adb pull /sdcard/Android/data/…`.
            ledger = Ledger(listOfNotNull(filesDir, getExternalFilesDir(null))) { Log.i(TAG, it) },
            phone = AndroidPhone(this),
            main = Executor { handler.post(it) },
            background = Executors.newSingleThreadExecutor { Thread(it, "network") },
        ).apply { observe { if (it is State.Failed) Log.w(TAG, it.problem) } }
    }

    private inner class Assets : BuiltInFiles {
        override fun names(): List<String> =
            assets.list(MODELS).orEmpty().filter { it.endsWith(".tflite") }

        override fun open(name: String): InputStream = assets.open("$MODELS/$name")
    }

    companion object {
        /** Of all lines that the app logs: `adb logcat -s cnn-keras`. */
        const val TAG = "cnn-keras"

        private const val MODELS = "models"
    }
}
