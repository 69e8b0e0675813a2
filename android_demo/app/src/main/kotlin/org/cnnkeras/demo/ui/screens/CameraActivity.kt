package org.cnnkeras.demo.ui.screens

import android.Manifest
import android.content.Intent
import android.content.pm.PackageManager
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraManager
import android.hardware.display.DisplayManager
import android.media.Image
import android.net.Uri
import android.os.Bundle
import android.os.SystemClock
import android.provider.Settings
import android.view.Display
import android.view.TextureView
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.TextView
import org.cnnkeras.demo.R
import org.cnnkeras.demo.image.Decoded
import org.cnnkeras.demo.ui.camera.CameraFeed
import org.cnnkeras.demo.ui.camera.FrameRate
import org.cnnkeras.demo.ui.camera.Lens
import org.cnnkeras.demo.ui.camera.Plane
import org.cnnkeras.demo.ui.camera.YuvPicture
import org.cnnkeras.demo.ui.camera.degrees
import org.cnnkeras.demo.ui.camera.lenses
import org.cnnkeras.demo.ui.camera.orientation
import org.cnnkeras.demo.ui.camera.previewTransform
import org.cnnkeras.demo.ui.state.State
import org.cnnkeras.demo.ui.views.AspectFrame
import org.cnnkeras.demo.ui.views.isPresent
import org.cnnkeras.demo.ui.views.part

/** The camera's preview, classified as fast as the phone can. */
class CameraActivity :
    Screen(),
    TextureView.SurfaceTextureListener,
    DisplayManager.DisplayListener {
    private lateinit var frame: AspectFrame
    private lateinit var preview: TextureView
    private lateinit var result: ResultCard
    private lateinit var rate: TextView
    private lateinit var denied: View

    private var lenses = emptyList<Lens>()
    private var lensIndex = 0
    private var feed: CameraFeed? = null
    private var hasAsked = false

    /** Read for each image on the camera's thread. */
    @Volatile
    private var turned = 0

    private var frames = FrameRate()
    private var lastSeen: State.Classified? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        show(R.layout.camera)
        part<TextView>(R.id.title).setText(R.string.camera)
        frame = part(R.id.viewfinder)
        preview = part(R.id.preview)
        rate = part(R.id.rate)
        denied = part(R.id.denied)
        result = ResultCard(this)
        preview.surfaceTextureListener = this
        hasAsked = savedInstanceState?.getBoolean(ASKED) ?: false
        lensIndex = savedInstanceState?.getInt(LENS) ?: 0
        part<View>(R.id.flip).setOnClickListener { switchLens() }
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putBoolean(ASKED, hasAsked)
        outState.putInt(LENS, lensIndex)
    }

    override fun onResume() {
        super.onResume()
        displays().registerDisplayListener(this, null)
        when {
            isAllowed() -> start()
            hasAsked -> explain()
            else -> ask()
        }
    }

    override fun onPause() {
        stop()
        displays().unregisterDisplayListener(this)
        super.onPause()
    }

    private fun isAllowed() =
        checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED

    private fun ask() {
        hasAsked = true
        requestPermissions(arrayOf(Manifest.permission.CAMERA), ASK_CAMERA)
    }

    /** Says what is missing, and leads to where it can be given. */
    private fun explain() {
        val canAskAgain = shouldShowRequestPermissionRationale(Manifest.permission.CAMERA)
        frame.isPresent = false
        denied.isPresent = true
        part<TextView>(R.id.denied_text).setText(
            if (canAskAgain) R.string.camera_denied else R.string.camera_blocked,
        )
        part<Button>(R.id.allow).apply {
            setText(if (canAskAgain) R.string.camera_allow else R.string.settings)
            setOnClickListener { if (canAskAgain) ask() else openSettings() }
        }
    }

    private fun openSettings() = startActivity(
        Intent(
            Settings.ACTION_APPLICATION_DETAILS_SETTINGS,
            Uri.fromParts("package", packageName, null),
        ),
    )

    private fun start() {
        lenses = lenses(getSystemService(CameraManager::class.java))
        denied.isPresent = false
        frame.isPresent = lenses.isNotEmpty()
        if (lenses.isEmpty()) return store.fail(getString(R.string.camera_missing))
        part<View>(R.id.flip).isPresent = lenses.any { it.isFront } &&
            lenses.any { !it.isFront }
        rate.setText(R.string.camera_starting)
        // Otherwise it starts when the preview is there.
        preview.surfaceTexture?.takeIf { preview.isAvailable }?.let(::connect)
    }

    private fun connect(texture: SurfaceTexture) {
        if (lenses.isEmpty() || feed != null) return
        frames = FrameRate()
        val lens = lenses[lensIndex % lenses.size]
        feed = CameraFeed(this, lens, texture, { classify(lens, it) }) {
            runOnUiThread { store.fail(getString(R.string.camera_failed)) }
        }
        align()
    }

    private fun stop() {
        feed?.close()
        feed = null
    }

    /** From the back to the front and back again; phones list more than one of either. */
    private fun switchLens() {
        val isFront = lenses[lensIndex % lenses.size].isFront
        lensIndex = lenses.indexOfFirst { it.isFront != isFront }
        stop()
        preview.surfaceTexture?.let(::connect)
    }

    private fun displays() = getSystemService(DisplayManager::class.java)

    private fun align() {
        turned = degrees(displays().getDisplay(Display.DEFAULT_DISPLAY).rotation)
        if (lenses.isEmpty()) return
        val lens = lenses[lensIndex % lenses.size]
        val width = preview.width.toFloat()
        val height = preview.height.toFloat()
        if (width > 0) {
            preview.setTransform(previewTransform(lens, turned, width, height))
        }
    }

    /** Copies an image if the network has taken the one before; on the camera's thread. */
    private fun classify(lens: Lens, image: Image) {
        if (store.isBehind) return
        val (luma, blue, red) = image.planes.map {
            Plane.copy(it.buffer, it.rowStride, it.pixelStride)
        }
        val picture = YuvPicture(image.width, image.height, luma, blue, red)
        val orientation = orientation(lens, turned)
        store.stream { Decoded(picture, orientation) }
    }

    /** Also half a turn, for which the system makes no new screen. */
    override fun onDisplayChanged(displayId: Int) = align()

    override fun onDisplayAdded(displayId: Int) = Unit

    override fun onDisplayRemoved(displayId: Int) = Unit

    override fun onSurfaceTextureAvailable(surface: SurfaceTexture, width: Int, height: Int) =
        connect(surface)

    override fun onSurfaceTextureSizeChanged(surface: SurfaceTexture, width: Int, height: Int) =
        align()

    override fun onSurfaceTextureDestroyed(surface: SurfaceTexture): Boolean {
        stop()
        return true
    }

    override fun onSurfaceTextureUpdated(surface: SurfaceTexture) = Unit

    override fun render(state: State) {
        val open = state.settled.open
        if (open != null) {
            frame.aspect = open.model.preprocessing.run { width.toFloat() / height }
        }
        val seen = state.settled as? State.Classified
        val isNew = seen != null && seen !== lastSeen
        lastSeen = seen
        if (feed == null) return result.show(null, null)
        if (isNew) {
            val perSecond = frames.tick(SystemClock.elapsedRealtimeNanos())
            if (perSecond > 0) rate.text = getString(R.string.frames_per_second, perSecond)
        }
        result.show(open?.model, seen?.classification)
    }

    private companion object {
        const val ASK_CAMERA = 1
        const val ASKED = "asked"
        const val LENS = "lens"
    }
}
