package org.cnnkeras.demo.ui.state

import android.annotation.TargetApi
import android.app.ActivityManager
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import java.io.File
import java.io.IOException
import org.cnnkeras.demo.benchmark.Device
import org.cnnkeras.demo.benchmark.DeviceState
import org.cnnkeras.demo.benchmark.instructions

/** Reads the facts that Android reports about the phone. */
class AndroidDeviceReader(private val context: Context) : DeviceReader {
    override val versions: Map<String, String>
        get() = mapOf(
            "app" to context.packageManager.getPackageInfo(context.packageName, 0).versionName,
            "android" to Build.VERSION.RELEASE,
        )

    override fun device(): Device {
        val cpuinfo = read("/proc/cpuinfo").orEmpty()
        val memory = ActivityManager.MemoryInfo()
        context.getSystemService(ActivityManager::class.java).getMemoryInfo(memory)
        return Device(
            cpu = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) processor() else
                field(cpuinfo, "Hardware"),
            architecture = System.getProperty("os.arch"),
            cores = Runtime.getRuntime().availableProcessors(),
            instructions = instructions(cpuinfo),
            governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            loadAverage = read("/proc/loadavg")?.substringBefore(' ')?.toDoubleOrNull(),
            memoryMb = (memory.totalMem / MIB).takeIf { it > 0 },
            os = "Android ${Build.VERSION.RELEASE}",
            kernel = System.getProperty("os.version"),
            model = "${Build.MANUFACTURER} ${Build.MODEL}",
        )
    }

    override fun state(): DeviceState {
        // A null receiver returns the last broadcast immediately.
        val battery: Intent? =
            context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        val level = battery?.number(BatteryManager.EXTRA_LEVEL)
        val scale = battery?.number(BatteryManager.EXTRA_SCALE)
        return DeviceState(
            batteryPercent = if (level == null || scale == null) null else level * 100 / scale,
            batteryCelsius = battery?.number(BatteryManager.EXTRA_TEMPERATURE)?.let { it / 10.0 },
            charging = battery?.number(BatteryManager.EXTRA_PLUGGED)?.let { it != 0 },
            thermalStatus =
                if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) thermalStatus() else null,
        )
    }

    @TargetApi(Build.VERSION_CODES.S)
    private fun processor(): String = "${Build.SOC_MANUFACTURER} ${Build.SOC_MODEL}"

    @TargetApi(Build.VERSION_CODES.Q)
    private fun thermalStatus(): String? {
        val status = context.getSystemService(PowerManager::class.java).currentThermalStatus
        return THERMAL_STATUS.getOrNull(status)
    }

    private fun Intent.number(key: String): Int? = getIntExtra(key, -1).takeIf { it >= 0 }

    private fun field(cpuinfo: String, key: String): String? =
        cpuinfo.lines().firstOrNull { it.substringBefore(':').trim() == key }
            ?.substringAfter(':')?.trim()

    /** Returns the text of a file, or null: most phones deny apps some of these files. */
    private fun read(path: String): String? = try {
        File(path).readText().trim()
    } catch (_: IOException) {
        null
    }

    private companion object {
        const val MIB = 1L shl 20

        /** In the order of `PowerManager.THERMAL_STATUS_*`, from 0. */
        val THERMAL_STATUS =
            listOf("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
    }
}
