package org.cnnkeras.demo.engine

import com.sun.jna.Library
import com.sun.jna.Native
import com.sun.jna.NativeLong
import com.sun.jna.Pointer
import com.sun.jna.ptr.NativeLongByReference
import com.sun.jna.ptr.PointerByReference
import java.io.File

/**
 * The functions of LiteRT's C API that run a model, as in the wheel of ai-edge-litert 2.3.0. An
 * integer result is a `LiteRtStatus`, 0 for success.
 *
 * Reference: https://github.com/google-ai-edge/LiteRT, `litert/c/`
 */
@Suppress("FunctionName") // JNA requires the names of the C functions.
interface LiteRtLibrary : Library {
    fun LiteRtCreateEnvironment(
        numOptions: Int,
        options: Pointer?,
        environment: PointerByReference,
    ): Int

    fun LiteRtDestroyEnvironment(environment: Pointer)

    /** The buffer must outlive the model. */
    fun LiteRtCreateModelFromBuffer(
        environment: Pointer,
        buffer: Pointer,
        size: NativeLong,
        model: PointerByReference,
    ): Int

    fun LiteRtDestroyModel(model: Pointer)

    fun LiteRtCreateOptions(options: PointerByReference): Int

    fun LiteRtDestroyOptions(options: Pointer)

    fun LiteRtSetOptionsHardwareAccelerators(options: Pointer, accelerators: Int): Int

    /** The options own the payload and destroy it with the destructor. */
    fun LiteRtCreateOpaqueOptions(
        identifier: String,
        payload: Pointer,
        payloadDestructor: Pointer,
        opaqueOptions: PointerByReference,
    ): Int

    /** The options own the opaque options. */
    fun LiteRtAddOpaqueOptions(options: Pointer, opaqueOptions: Pointer): Int

    fun LiteRtCreateCompiledModel(
        environment: Pointer,
        model: Pointer,
        options: Pointer,
        compiledModel: PointerByReference,
    ): Int

    fun LiteRtDestroyCompiledModel(compiledModel: Pointer)

    fun LiteRtGetModelSignature(
        model: Pointer,
        index: NativeLong,
        signature: PointerByReference,
    ): Int

    fun LiteRtGetSignatureInputTensorByIndex(
        signature: Pointer,
        index: NativeLong,
        tensor: PointerByReference,
    ): Int

    fun LiteRtGetSignatureOutputTensorByIndex(
        signature: Pointer,
        index: NativeLong,
        tensor: PointerByReference,
    ): Int

    fun LiteRtGetRankedTensorType(tensor: Pointer, type: Pointer): Int

    fun LiteRtGetCompiledModelInputBufferRequirements(
        compiledModel: Pointer,
        signatureIndex: NativeLong,
        index: NativeLong,
        requirements: PointerByReference,
    ): Int

    fun LiteRtGetCompiledModelOutputBufferRequirements(
        compiledModel: Pointer,
        signatureIndex: NativeLong,
        index: NativeLong,
        requirements: PointerByReference,
    ): Int

    fun LiteRtCreateManagedTensorBufferFromRequirements(
        environment: Pointer,
        type: Pointer,
        requirements: Pointer,
        buffer: PointerByReference,
    ): Int

    fun LiteRtDestroyTensorBuffer(buffer: Pointer)

    fun LiteRtGetTensorBufferPackedSize(buffer: Pointer, size: NativeLongByReference): Int

    fun LiteRtLockTensorBuffer(buffer: Pointer, address: PointerByReference, mode: Int): Int

    fun LiteRtUnlockTensorBuffer(buffer: Pointer): Int

    fun LiteRtRunCompiledModel(
        compiledModel: Pointer,
        signatureIndex: NativeLong,
        numInputs: NativeLong,
        inputs: Pointer,
        numOutputs: NativeLong,
        outputs: Pointer,
    ): Int

    companion object {
        /** `kLiteRtHwAcceleratorCpu` */
        const val CPU = 1

        /** `kLiteRtEnvOptionTagAutoRegisterAccelerators`, a bit mask */
        const val ACCELERATORS = 24

        /** `kLiteRtEnvOptionTagMinLoggerSeverity` */
        const val LOG_FROM = 25

        /** `kLiteRtAnyTypeInt` */
        const val INTEGER = 2

        /** `LITERT_ERROR`, a severity */
        const val ERROR = 3

        /** `kLiteRtTensorBufferLockModeRead` */
        const val READ = 0

        /** `kLiteRtTensorBufferLockModeWrite` */
        const val WRITE = 1

        /** Larger than `sizeof(LiteRtRankedTensorType)`. */
        const val RANKED_TENSOR_TYPE_BYTES = 512L

        /** Identifier of the CPU options, whose payload is TOML. */
        const val CPU_OPTIONS = "xnnpack"

        /** The library in the folder of the wheel, see `make test-android`; loaded once. */
        val instance: LiteRtLibrary by lazy {
            val folder = requireNotNull(System.getProperty("litert.dir")) {
                "The system property litert.dir must name the wheel's folder ai_edge_litert."
            }
            val library = File(folder, "libLiteRt.so")
            require(library.isFile) {
                "$library is missing. `make setup` installs it; -Dlitert.dir names its folder."
            }
            Native.load(library.path, LiteRtLibrary::class.java)
        }
    }
}
