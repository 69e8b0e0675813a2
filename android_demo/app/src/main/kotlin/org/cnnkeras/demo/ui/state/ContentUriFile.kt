package org.cnnkeras.demo.ui.state

import android.content.ContentResolver
import android.net.Uri
import android.provider.OpenableColumns
import java.io.IOException
import java.io.InputStream

/** A file of another app, identified by a content URI. */
class ContentUriFile(private val resolver: ContentResolver, private val uri: Uri) : ExternalFile {
    override fun name(): String = displayName() ?: uri.lastPathSegment ?: uri.toString()

    override fun open(): InputStream = callProvider { resolver.openInputStream(uri) }
        ?: throw IOException("$uri has no content.")

    private fun displayName(): String? {
        if (uri.scheme != ContentResolver.SCHEME_CONTENT) return null
        val columns = arrayOf(OpenableColumns.DISPLAY_NAME)
        return callProvider { resolver.query(uri, columns, null, null, null) }?.use { cursor ->
            if (cursor.moveToFirst()) cursor.getString(0) else null
        }
    }

    /** Runs code of another app, which may throw anything, such as a SecurityException. */
    private fun <T> callProvider(call: () -> T): T = try {
        call()
    } catch (error: RuntimeException) {
        throw IOException("$uri cannot be read.", error)
    }
}
