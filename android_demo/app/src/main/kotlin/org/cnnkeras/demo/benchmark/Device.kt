package org.cnnkeras.demo.benchmark

/**
 * The phone, with the fields of `host` in a benchmark row; a value is null if it is unknown.
 *
 * @property cpu name of the processor
 * @property architecture for example `"aarch64"`
 * @property instructions see [instructions]
 * @property governor frequency governor of the first core
 * @property loadAverage load average of the last minute, before the benchmark
 * @property memoryMb physical memory in MiB
 * @property os name and version of the operating system
 * @property kernel release of the kernel
 * @property model name of the phone
 */
data class Device(
    val cpu: String?,
    val architecture: String?,
    val cores: Int,
    val instructions: List<String>,
    val governor: String?,
    val loadAverage: Double?,
    val memoryMb: Long?,
    val os: String,
    val kernel: String?,
    val model: String?,
)

/**
 * The state of the phone at one moment; a value is null if it is unknown.
 *
 * @property batteryPercent from 0 to 100
 * @property batteryCelsius temperature of the battery
 * @property thermalStatus Android's name: none, light, moderate, severe, critical, emergency or
 *     shutdown
 */
data class DeviceState(
    val batteryPercent: Int?,
    val batteryCelsius: Double?,
    val charging: Boolean?,
    val thermalStatus: String?,
)

/**
 * The instruction sets that determine the speed of the kernels, with their names in
 * `/proc/cpuinfo`; the same table as in `cnn_keras/machine.py`.
 */
private val INSTRUCTIONS = mapOf(
    "FMA" to setOf("fma"),
    "AVX2" to setOf("avx2"),
    "AVX-512F" to setOf("avx512f"),
    "AVX-512 VNNI" to setOf("avx512_vnni"),
    "AVX-VNNI" to setOf("avx_vnni"),
    "AMX int8" to setOf("amx_int8"),
    "NEON" to setOf("neon", "asimd"),
    "dotprod" to setOf("asimddp"),
    "i8mm" to setOf("i8mm"),
)

/** Returns the names of the instruction sets in the text of `/proc/cpuinfo`. */
fun instructions(cpuinfo: String): List<String> {
    val present = cpuinfo.lines()
        .filter { it.substringBefore(':').trim() in setOf("flags", "Features") }
        .flatMap { it.substringAfter(':').trim().split(' ') }
    return INSTRUCTIONS.filterValues { names -> names.any { it in present } }.keys.toList()
}
