package org.cnnkeras.demo.ui

import android.Manifest
import android.content.ComponentName
import android.content.Intent
import android.content.pm.ActivityInfo
import android.content.pm.PackageManager
import android.net.Uri
import org.cnnkeras.demo.ui.screens.BenchmarkActivity
import org.cnnkeras.demo.ui.screens.MainActivity
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** The permissions, the component names and the intent filters of the manifest. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = TestApplication::class)
class ManifestTest {
    private val application = RuntimeEnvironment.getApplication()

    private fun handlers(action: String, uri: String?, type: String?): List<String> {
        val intent = Intent(action).setDataAndType(uri?.let(Uri::parse), type)
        return application.packageManager
            .queryIntentActivities(intent, PackageManager.MATCH_DEFAULT_ONLY)
            .map { it.activityInfo }
            .filter { it.name.startsWith("org.cnnkeras.demo") }
            .onEach { assertEquals("org.cnnkeras.demo.ui.MainActivity", it.name) }
            .map { it.targetActivity }
            .distinct()
    }

    private fun assertHandled(action: String, uri: String?, type: String?) =
        assertEquals(listOf(MainActivity::class.java.name), handlers(action, uri, type))

    @Test
    fun cameraIsTheOnlyPermission() {
        val info = application.packageManager
            .getPackageInfo(application.packageName, PackageManager.GET_PERMISSIONS)
        assertEquals(listOf(Manifest.permission.CAMERA), info.requestedPermissions.toList())
    }

    /** Home screen shortcuts and scripts refer to an activity by its component name. */
    @Test
    fun formerNameIsAnAliasOfTheActivity() {
        for (activity in listOf(MainActivity::class.java, BenchmarkActivity::class.java)) {
            val target = activityInfo(activity.name)
            val alias = activityInfo("org.cnnkeras.demo.ui.${activity.simpleName}")
            assertEquals(activity.name, alias.targetActivity)
            assertEquals(listOf(true, true), listOf(target.exported, alias.exported))
            assertEquals(target.launchMode, alias.launchMode)
            assertEquals(target.labelRes, alias.labelRes)
        }
    }

    private fun activityInfo(name: String): ActivityInfo = application.packageManager
        .getActivityInfo(ComponentName(application, name), 0)

    @Test
    fun launcherListsTheAppOnce() {
        val intent = Intent(Intent.ACTION_MAIN).addCategory(Intent.CATEGORY_LAUNCHER)
        val names = application.packageManager.queryIntentActivities(intent, 0)
            .map { it.activityInfo.name }
            .filter { it.startsWith("org.cnnkeras.demo") }
        assertEquals(listOf("org.cnnkeras.demo.ui.MainActivity"), names)
    }

    @Test
    fun sharedImageIsHandled() = assertHandled(Intent.ACTION_SEND, null, "image/png")

    @Test
    fun downloadIsHandledByItsType() = assertHandled(
        Intent.ACTION_VIEW,
        "content://com.android.providers.downloads.documents/document/123",
        "application/octet-stream",
    )

    @Test
    fun modelFileIsHandledByItsName() {
        for (name in listOf("digits.tflite", "my.digits.v1.2.tflite")) {
            for (type in listOf("text/plain", "application/octet-stream", null)) {
                assertHandled(Intent.ACTION_VIEW, "content://files/a.b/$name", type)
                assertHandled(Intent.ACTION_VIEW, "file:///storage/emulated/0/$name", type)
            }
        }
    }

    @Test
    fun otherFilesAreNotHandled() {
        val image = handlers(Intent.ACTION_VIEW, "content://files/cat.png", "image/png")
        val note = handlers(Intent.ACTION_VIEW, "content://files/note.txt", "text/plain")
        assertEquals(emptyList<String>(), image + note)
    }
}
