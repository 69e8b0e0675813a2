package org.cnnkeras.demo

import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** The installed app has the resources and the manifest of the build. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34])
class ResourcesTest {
    private val application = RuntimeEnvironment.getApplication()

    @Test
    fun nameComesFromTheResources() {
        assertEquals("cnn-keras", application.getString(R.string.app_name))
    }

    @Test
    fun packageAndSdkLevelsAreThoseOfTheBuild() {
        assertEquals("org.cnnkeras.demo", application.packageName)
        assertEquals(26, application.applicationInfo.minSdkVersion)
        assertEquals(34, application.applicationInfo.targetSdkVersion)
    }
}
