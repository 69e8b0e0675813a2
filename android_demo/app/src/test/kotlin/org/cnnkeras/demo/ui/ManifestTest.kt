package org.cnnkeras.demo.ui

import android.Manifest
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import org.cnnkeras.demo.ui.screens.MainActivity
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** What the app asks of the system, and what it offers to other apps. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = TestApplication::class)
class ManifestTest {
    private val application = RuntimeEnvironment.getApplication()

    private fun takers(action: String, uri: String?, type: String?): List<String> {
        val intent = Intent(action).setDataAndType(uri?.let(Uri::parse), type)
        return application.packageManager
            .queryIntentActivities(intent, PackageManager.MATCH_DEFAULT_ONLY)
            .map { it.activityInfo.name }
            .filter { it.startsWith("org.cnnkeras.demo") }
            .distinct()
    }

    private fun assertTaken(action: String, uri: String?, type: String?) =
        assertEquals(listOf(MainActivity::class.java.name), takers(action, uri, type))

    @Test
    fun theCameraIsAllThatIsAskedFor() {
        val info = application.packageManager
            .getPackageInfo(application.packageName, PackageManager.GET_PERMISSIONS)
        assertEquals(listOf(Manifest.permission.CAMERA), info.requestedPermissions.toList())
    }

    @Test
    fun imagesCanBeShared() = assertTaken(Intent.ACTION_SEND, null, "image/png")

    @Test
    fun aDownloadIsOpenedByItsType() = assertTaken(
        Intent.ACTION_VIEW,
        "content://com.android.providers.downloads.documents/document/123",
        "application/octet-stream",
    )

    @Test
    fun aModelIsOpenedByItsName() {
        for (name in listOf("digits.tflite", "my.digits.v1.2.tflite")) {
            for (type in listOf("text/plain", "application/octet-stream", null)) {
                assertTaken(Intent.ACTION_VIEW, "content://files/a.b/$name", type)
                assertTaken(Intent.ACTION_VIEW, "file:///storage/emulated/0/$name", type)
            }
        }
    }

    @Test
    fun otherFilesAreLeftToOthers() {
        val picture = takers(Intent.ACTION_VIEW, "content://files/cat.png", "image/png")
        val note = takers(Intent.ACTION_VIEW, "content://files/note.txt", "text/plain")
        assertEquals(emptyList<String>(), picture + note)
    }
}
