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
import org.cnnkeras.demo.image.DecodedImage
import org.cnnkeras.demo.ui.camera.CameraFeed
import org.cnnkeras.demo.ui.camera.CameraInfo
import org.cnnkeras.demo.ui.camera.FrameRate
import org.cnnkeras.demo.ui.camera.Plane
import org.cnnkeras.demo.ui.camera.YuvImage
import org.cnnkeras.demo.ui.camera.displayRotationDegrees
import org.cnnkeras.demo.ui.camera.imageOrientation
import org.cnnkeras.demo.ui.camera.listCameras
import org.cnnkeras.demo.ui.camera.previewTransform
import org.cnnkeras.demo.ui.state.UiState
import org.cnnkeras.demo.ui.views.AspectRatioFrameLayout
import org.cnnkeras.demo.ui.views.isVisible
import org.cnnkeras.demo.ui.views.requireView

/** A camera preview whose frames are classified as fast as the phone can. */
class CameraActivity :
    BaseActivity(),
    TextureView.SurfaceTextureListener,
    DisplayManager.DisplayListener {
    private lateinit var frame: AspectRatioFrameLayout
    private lateinit var preview: TextureView
    private lateinit var result: ResultCard
    private lateinit var frameRateText: TextView
    private lateinit var denied: View

    private var cameras = emptyList<CameraInfo>()
    private var cameraIndex = 0
    private var feed: CameraFeed? = null
    private var hasRequestedPermission = false

    /** The camera thread reads it for each image. */
    @Volatile
    private var displayDegrees = 0

    private var frameRate = FrameRate()
    private var lastClassified: UiState.Classified? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setLayout(R.layout.camera)
        requireView<TextView>(R.id.title).setText(R.string.camera)
        frame = requireView(R.id.viewfinder)
        preview = requireView(R.id.preview)
        frameRateText = requireView(R.id.frame_rate)
        denied = requireView(R.id.camera_denied)
        result = ResultCard(this)
        preview.surfaceTextureListener = this
        hasRequestedPermission = savedInstanceState?.getBoolean(STATE_REQUESTED) ?: false
        cameraIndex = savedInstanceState?.getInt(STATE_CAMERA) ?: 0
        requireView<View>(R.id.switch_camera).setOnClickListener { switchCamera() }
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putBoolean(STATE_REQUESTED, hasRequestedPermission)
        outState.putInt(STATE_CAMERA, cameraIndex)
    }

    override fun onResume() {
        super.onResume()
        displays().registerDisplayListener(this, null)
        when {
            hasPermission() -> start()
            hasRequestedPermission -> showDenied()
            else -> requestPermission()
        }
    }

    override fun onPause() {
        stop()
        displays().unregisterDisplayListener(this)
        super.onPause()
    }

    private fun hasPermission() =
        checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED

    private fun requestPermission() {
        hasRequestedPermission = true
        requestPermissions(arrayOf(Manifest.permission.CAMERA), REQUEST_CAMERA)
    }

    /** Explains that the permission is missing and shows a button to grant it. */
    private fun showDenied() {
        val canAskAgain = shouldShowRequestPermissionRationale(Manifest.permission.CAMERA)
        frame.isVisible = false
        denied.isVisible = true
        requireView<TextView>(R.id.camera_denied_text).setText(
            if (canAskAgain) R.string.camera_denied else R.string.camera_blocked,
        )
        requireView<Button>(R.id.allow_camera).apply {
            setText(if (canAskAgain) R.string.camera_allow else R.string.settings)
            setOnClickListener { if (canAskAgain) requestPermission() else openSettings() }
        }
    }

    private fun openSettings() = startActivity(
        Intent(
            Settings.ACTION_APPLICATION_DETAILS_SETTINGS,
            Uri.fromParts("package", packageName, null),
        ),
    )

    private fun start() {
        cameras = listCameras(getSystemService(CameraManager::class.java))
        denied.isVisible = false
        frame.isVisible = cameras.isNotEmpty()
        if (cameras.isEmpty()) return stateHolder.reportError(getString(R.string.camera_missing))
        requireView<View>(R.id.switch_camera).isVisible = cameras.any { it.isFront } &&
            cameras.any { !it.isFront }
        frameRateText.setText(R.string.camera_starting)
        // If the preview is not ready yet, onSurfaceTextureAvailable connects the camera.
        preview.surfaceTexture?.takeIf { preview.isAvailable }?.let(::connect)
    }

    private fun connect(texture: SurfaceTexture) {
        if (cameras.isEmpty() || feed != null) return
        frameRate = FrameRate()
        val camera = cameras[cameraIndex % cameras.size]
        feed = CameraFeed(this, camera, texture, { classify(camera, it) }) {
            runOnUiThread { stateHolder.reportError(getString(R.string.camera_failed)) }
        }
        updateTransform()
    }

    private fun stop() {
        feed?.close()
        feed = null
    }

    /** Switches between the back and the front; a phone may have several cameras on either side. */
    private fun switchCamera() {
        val isFront = cameras[cameraIndex % cameras.size].isFront
        cameraIndex = cameras.indexOfFirst { it.isFront != isFront }
        stop()
        preview.surfaceTexture?.let(::connect)
    }

    private fun displays() = getSystemService(DisplayManager::class.java)

    private fun updateTransform() {
        val display = displays().getDisplay(Display.DEFAULT_DISPLAY)
        displayDegrees = displayRotationDegrees(display.rotation)
        if (cameras.isEmpty()) return
        val camera = cameras[cameraIndex % cameras.size]
        val width = preview.width.toFloat()
        val height = preview.height.toFloat()
        if (width > 0) {
            preview.setTransform(previewTransform(camera, displayDegrees, width, height))
        }
    }

    /** Copies an image unless another one is pending; runs on the camera thread. */
    private fun classify(camera: CameraInfo, image: Image) {
        if (stateHolder.isImagePending) return
        val (luma, blue, red) = image.planes.map {
            Plane.copy(it.buffer, it.rowStride, it.pixelStride)
        }
        val yuvImage = YuvImage(image.width, image.height, luma, blue, red)
        val orientation = imageOrientation(camera, displayDegrees)
        stateHolder.classifyLatest { DecodedImage(yuvImage, orientation) }
    }

    /** Handles a rotation by 180°, for which the system does not create the activity again. */
    override fun onDisplayChanged(displayId: Int) = updateTransform()

    override fun onDisplayAdded(displayId: Int) = Unit

    override fun onDisplayRemoved(displayId: Int) = Unit

    override fun onSurfaceTextureAvailable(surface: SurfaceTexture, width: Int, height: Int) =
        connect(surface)

    override fun onSurfaceTextureSizeChanged(surface: SurfaceTexture, width: Int, height: Int) =
        updateTransform()

    override fun onSurfaceTextureDestroyed(surface: SurfaceTexture): Boolean {
        stop()
        return true
    }

    override fun onSurfaceTextureUpdated(surface: SurfaceTexture) = Unit

    override fun render(state: UiState) {
        val open = state.settled.openModel
        if (open != null) {
            frame.aspectRatio = open.model.preprocessing.run { width.toFloat() / height }
        }
        val classified = state.settled as? UiState.Classified
        val isNew = classified != null && classified !== lastClassified
        lastClassified = classified
        if (feed == null) return result.show(null, null)
        if (isNew) {
            val perSecond = frameRate.tick(SystemClock.elapsedRealtimeNanos())
            if (perSecond > 0) frameRateText.text = getString(R.string.frames_per_second, perSecond)
        }
        result.show(open?.model, classified?.classification)
    }

    private companion object {
        const val REQUEST_CAMERA = 1
        const val STATE_REQUESTED = "requested"
        const val STATE_CAMERA = "camera"
    }
}
